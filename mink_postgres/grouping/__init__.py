"""Grouped commits: appends that wait at the same moment share a transaction, each with an answer of its own.

`planner` says which append goes when, `programs.append_group` what is sent, and two runners do it: tasks
of an event loop, and threads.
"""
