"""Histories that every judge lets pass."""

from __future__ import annotations

from conformance_tests.histories.history import History
from tests.histories.made import ONE, THREE, TWO, append, call, ends, history, poll, read, refused, seen, step

GOOD: dict[str, History] = {
    "nothing": history(),
    "one after another": history(
        append("a", 0, 1, [1], 0, (1, 1)), append("b", 2, 3, [2, 3], 1, (2, 2)), s0=[ONE, TWO, THREE]
    ),
    "a race with one winner": history(
        append("a", 0, 9, [1], 0, (1, 1)), refused("b", 1, 8, [2], 0, 1), refused("c", 2, 4, [3], 5, 0), s0=[ONE]
    ),
    "a winner that is told late": history(
        append("a", 0, 9, [1], 0, (1, 1)), append("b", 1, 3, [2], 1, (2, 2)), s0=[ONE, TWO]
    ),
    "positions of overlapping calls in any order": history(
        append("a", 0, 9, [1], 0, (1, 7)),
        append("b", 1, 9, [2], 0, (1, 3), "s1"),
        s0=[seen(1, 1, 7)],
        s1=[seen(2, 1, 3, "s1")],
    ),
    "a repeat": history(
        append("a", 0, 1, [1], 0, (1, 1)),
        append("b", 2, 3, [2], 1, (2, 2)),
        append("a", 4, 5, [1], 0, (1, 1)),
        s0=[ONE, TWO],
    ),
    "a repeat under ANY writes again": history(
        append("a", 0, 1, [1], "any", (1, 1)),
        append("a", 2, 3, [1], "any", (2, 2)),
        refused("b", 4, 5, [3], 0, 2),
        s0=[ONE, seen(1, 2, 2)],
    ),
    "a held transaction": history(
        ends("a", 0, 1, "begin", 7),
        append("a", 2, 3, [1], 0, (1, 1), tx=7),
        read("a", 4, 5, ONE, tx=7),
        refused("a", 6, 7, [4], 0, 1, tx=7),
        append("b", 3, 4, [2], 0, (1, 2), "s1"),
        poll("r", 5, 6, 0, 0),
        read("b", 5, 6),
        ends("a", 8, 9, "commit", 7),
        poll("r", 10, 11, 0, 2, ONE, seen(2, 1, 2, "s1")),
        s0=[ONE],
        s1=[seen(2, 1, 2, "s1")],
    ),
    "a transaction rolled back": history(
        ends("a", 0, 1, "begin", 7),
        append("a", 2, 3, [9], 0, (1, 1), tx=7),
        ends("a", 4, 5, "rollback", 7),
        append("b", 6, 7, [1], 0, (1, 5)),
        poll("r", 8, 9, 0, 5, seen(1, 1, 5)),
        s0=[seen(1, 1, 5)],
    ),
    "an unknown outcome that was stored": history(
        call("append", "a", 0, 1, outcome="unknown", items=append("a", 0, 1, [1], 0, (1, 1)).items),
        append("a", 2, 3, [1], 0, (1, 1)),
        s0=[ONE],
        faults=True,
    ),
    "an unknown outcome that was not": history(
        call("append", "a", 0, 1, outcome="unknown", items=append("a", 0, 1, [1], 0, (1, 1)).items), s0=[]
    ),
    "readers": history(
        append("a", 0, 1, [1, 2], 0, (1, 1)),
        call("head", "r", 2, 3, number=2),
        poll("r", 4, 5, 0, 1, ONE, limit=1),
        poll("r", 6, 7, 1, 2, TWO),
        poll("r", 8, 9, 2, 2),
        call("read_all", "r", 8, 9, events=(TWO, ONE), backward=True),
        call("info", "r", 8, 9, stream="s0", number=2),
        step("s", 1, 4, 0, ONE, TWO),
        s0=[ONE, TWO],
    ),
    "a filtered page that moves on": history(
        append("a", 0, 1, [1], 0, (1, 1)), poll("r", 2, 3, 0, 1, stream="s1"), s0=[ONE], s1=[]
    ),
}
