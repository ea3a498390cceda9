"""`mink demo`: puts a store to work, and checks that nothing was lost.

`run` does the steps on one store, each in its file: `writing` (concurrent appends), `following`
(subscribers), `judging` (what must hold afterwards), `look` (how long an append takes). `report`
shows the result, `command` is the command.
"""
