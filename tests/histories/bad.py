"""Histories that are wrong in one place, each with the rule that it breaks."""

from __future__ import annotations

from conformance_tests.histories.history import FOREIGN, History
from tests.histories.made import ONE, TWO, append, batch, call, ends, history, placed, poll, read, refused, seen, step

PLAIN = append("a", 0, 1, [1], 0, (1, 1))
PAIR = append("a", 0, 1, [1, 2], 0, (1, 1))

BAD: dict[str, tuple[str, History]] = {
    "two winners of one version": (
        "APPEND-06",
        history(PLAIN, append("b", 0, 1, [2], 0, (1, 2)), s0=[ONE, TWO]),
    ),
    "a rival let in at another version": (
        "APPEND-06",
        history(PLAIN, append("b", 0, 1, [2], 0, (2, 2)), s0=[ONE, TWO]),
    ),
    "an expectation that was not looked at": ("APPEND-03", history(append("a", 0, 1, [1], 7, (1, 1)), s0=[ONE])),
    "NO_STREAM on a stream that was there": (
        "APPEND-04",
        history(PLAIN, append("b", 2, 3, [2], "no_stream", (2, 2)), s0=[ONE, TWO]),
    ),
    "STREAM_EXISTS made the stream": ("APPEND-04", history(append("a", 0, 1, [1], "stream_exists", (1, 1)), s0=[ONE])),
    "an acknowledged append is lost": ("APPEND-01", history(PLAIN, s0=[])),
    "an append is stored elsewhere": (
        "APPEND-10",
        history(PLAIN, append("b", 2, 3, [2], "any", (2, 2)), s0=[seen(2, 1, 1), seen(1, 2, 2)]),
    ),
    "a result with other positions": ("APPEND-10", history(append("a", 0, 1, [1], 0, (1, 5)), s0=[ONE])),
    "a result with other ids": (
        "APPEND-10",
        history(call("append", "a", 0, 1, items=PLAIN.items, placed=(placed([2], (1, 1)),)), s0=[ONE]),
    ),
    "a hole": ("APPEND-02", history(append("a", 0, 1, [1], "any", (2, 1)), s0=[seen(1, 2, 1)])),
    "the events of a call are not together": (
        "APPEND-02",
        history(PAIR, append("b", 0, 1, [3], "any", (2, 2)), s0=[ONE, seen(3, 2, 2), seen(2, 3, 3)]),
    ),
    "a call stored in part": ("APPEND-01", history(PAIR, s0=[ONE])),
    "positions against versions": ("FEED-02", history(PAIR, s0=[seen(1, 1, 2), seen(2, 2, 1)])),
    "one position twice": (
        "FEED-02",
        history(PLAIN, append("b", 0, 1, [2], 0, (1, 1), "s1"), s0=[ONE], s1=[seen(2, 1, 1, "s1")]),
    ),
    "a clock that went back": ("READ-07", history(PAIR, s0=[seen(1, 1, 1, stamp=9), seen(2, 2, 2, stamp=8)])),
    "positions against time": (
        "FEED-02",
        history(
            append("a", 0, 1, [1], 0, (1, 5)),
            append("b", 2, 3, [2], 0, (1, 4), "s1"),
            s0=[seen(1, 1, 5)],
            s1=[seen(2, 1, 4, "s1")],
        ),
    ),
    "versions against time": (
        "FEED-02",
        history(append("a", 0, 1, [2], "any", (2, 2)), append("b", 2, 3, [1], "any", (1, 1)), s0=[ONE, TWO]),
    ),
    "a conflict under ANY": ("APPEND-05", history(PLAIN, refused("b", 0, 1, [2], "any", 1), s0=[ONE])),
    "a conflict at the version expected": ("APPEND-03", history(PLAIN, refused("b", 2, 3, [2], 1, 1), s0=[ONE])),
    "a conflict with a version long gone": ("APPEND-03", history(PLAIN, refused("b", 2, 3, [2], 5, 0), s0=[ONE])),
    "a conflict with a version to come": (
        "APPEND-03",
        history(PLAIN, refused("b", 2, 3, [3], 5, 2), append("a", 4, 5, [2], 1, (2, 2)), s0=[ONE, TWO]),
    ),
    "a conflict in the middle of a call": ("APPEND-03", history(PAIR, refused("b", 0, 1, [3], 0, 1), s0=[ONE, TWO])),
    "NO_STREAM refused where there is none": ("APPEND-04", history(refused("a", 0, 1, [1], "no_stream", 0), s0=[])),
    "a refused call is stored": (
        "APPEND-03",
        history(PLAIN, refused("b", 2, 3, [2], 0, 1), s0=[ONE, TWO]),
    ),
    "a repeat that is a conflict": ("APPEND-09", history(PLAIN, refused("a", 2, 3, [1], 0, 1), s0=[ONE])),
    "a repeat at the same time that is a conflict": (
        "APPEND-09",
        history(append("a", 0, 9, [1], 0, (1, 1)), refused("b", 1, 8, [1], 0, 1), s0=[ONE]),
    ),
    "a repeat with another result": (
        "APPEND-09",
        history(PLAIN, append("a", 2, 3, [1], 0, (1, 2)), s0=[ONE]),
    ),
    "a repeat stored twice": ("APPEND-09", history(PLAIN, s0=[ONE, seen(1, 2, 2)])),
    "a new call that is a duplicate": (
        "APPEND-09",
        history(call("append", "a", 0, 1, outcome="duplicate", items=PLAIN.items), s0=[]),
    ),
    "a batch stored in part": (
        "APPEND-11",
        history(batch("a", 0, 1, ("s0", [1], 0, (1, 1)), ("s1", [2], 0, (1, 2))), s0=[ONE], s1=[]),
    ),
    "a batch in another order": (
        "APPEND-11",
        history(
            batch("a", 0, 1, ("s0", [1], 0, (1, 2)), ("s1", [2], 0, (1, 1))),
            s0=[seen(1, 1, 2)],
            s1=[seen(2, 1, 1, "s1")],
        ),
    ),
    "a transaction stored in part": (
        "TX-01",
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            append("a", 4, 5, [2], 0, (1, 2), "s1", tx=7),
            ends("a", 6, 7, "commit", 7),
            s0=[ONE],
            s1=[],
        ),
    ),
    "what was rolled back is stored": (
        "TX-01",
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            ends("a", 4, 5, "rollback", 7),
            s0=[ONE],
        ),
    ),
    "seen before its commit": (
        "TX-01",
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            read("b", 4, 5, ONE),
            ends("a", 6, 7, "commit", 7),
            s0=[ONE],
        ),
    ),
    "its own events in the feed it reads": (
        "FEED-09",
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            poll("a", 4, 5, 0, 1, ONE, tx=7),
            ends("a", 6, 7, "commit", 7),
            s0=[ONE],
        ),
    ),
    "an event that nobody appended": ("FEED-06", history(PLAIN, poll("r", 2, 3, 0, 1, seen(FOREIGN, 1, 1)), s0=[ONE])),
    "one's own append is not read": ("READ-06", history(PLAIN, read("a", 2, 3), s0=[ONE])),
    "a transaction does not read its own append": (
        "READ-06",
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            read("a", 4, 5, tx=7),
            ends("a", 6, 7, "commit", 7),
            s0=[ONE],
        ),
    ),
    "a read with a hole": ("APPEND-02", history(PAIR, read("b", 2, 3, TWO), s0=[ONE, TWO])),
    "a version that never was": (
        "READ-06",
        history(PLAIN, call("info", "b", 2, 3, stream="s0", number=4), s0=[ONE]),
    ),
    "a reader is taken past an event": (
        "FEED-01",
        history(
            append("a", 0, 9, [1], 0, (1, 1)),
            append("b", 1, 2, [2], 0, (1, 2), "s1"),
            poll("r", 3, 4, 0, 2, seen(2, 1, 2, "s1")),
            s0=[ONE],
            s1=[seen(2, 1, 2, "s1")],
        ),
    ),
    "read_all leaves one out": (
        "FEED-01",
        history(PAIR, call("read_all", "r", 2, 3, events=(TWO,)), s0=[ONE, TWO]),
    ),
    "a page tells to go on above the newest event": ("FEED-06", history(PLAIN, poll("r", 2, 3, 0, 9, ONE), s0=[ONE])),
    "a page tells to go on below its last event": (
        "FEED-06",
        history(PAIR, poll("r", 2, 3, 0, 1, ONE, TWO), s0=[ONE, TWO]),
    ),
    "a page in another order": ("FEED-02", history(PAIR, poll("r", 2, 3, 0, 2, TWO, ONE), s0=[ONE, TWO])),
    "a page that repeats": ("FEED-06", history(PAIR, poll("r", 2, 3, 1, 2, ONE, TWO), s0=[ONE, TWO])),
    "a page above its limit": ("READ-03", history(PAIR, poll("r", 2, 3, 0, 2, ONE, TWO, limit=1), s0=[ONE, TWO])),
    "the feed waits for nobody": ("READ-06", history(PLAIN, poll("r", 2, 3, 0, 0), s0=[ONE])),
    "the feed waits for an idle transaction": (
        "FEED-04",
        history(PLAIN, ends("b", 1, 9, "begin", 7), poll("r", 2, 3, 0, 0), s0=[ONE]),
    ),
    "the feed waits at a hole": (
        "FEED-03",
        history(
            ends("b", 0, 1, "begin", 7),
            append("b", 2, 3, [9], 0, (1, 1), "s1", tx=7),
            ends("b", 4, 5, "rollback", 7),
            append("a", 6, 7, [1], 0, (1, 2)),
            poll("r", 8, 9, 0, 0),
            s0=[seen(1, 1, 2)],
            s1=[],
        ),
    ),
    "the feed hides what is below an open append": (
        "FEED-07",
        history(
            PLAIN,
            append("b", 2, 9, [2], 0, (1, 2), "s1"),
            poll("r", 3, 4, 0, 0),
            s0=[ONE],
            s1=[seen(2, 1, 2, "s1")],
        ),
    ),
    "a head that no event has": ("FEED-05", history(PLAIN, call("head", "r", 2, 3, number=7), s0=[ONE])),
    "a head above the feed": (
        "FEED-05",
        history(
            append("a", 0, 9, [1], 0, (1, 1)),
            append("b", 1, 2, [2], 0, (1, 2), "s1"),
            call("head", "r", 3, 4, number=2),
            poll("r", 5, 6, 0, 0),
            s0=[ONE],
            s1=[seen(2, 1, 2, "s1")],
        ),
    ),
    "a head that goes back": (
        "FEED-05",
        history(PAIR, call("head", "r", 2, 3, number=2), call("head", "r", 4, 5, number=1), s0=[ONE, TWO], faults=True),
    ),
    "a subscription loses one": ("SUB-01", history(PAIR, step("s", 2, 3, 0, TWO), s0=[ONE, TWO])),
    "a subscription repeats one": (
        "SUB-01",
        history(PAIR, step("s", 2, 3, 0, ONE, TWO), step("s", 4, 5, 2, TWO), s0=[ONE, TWO]),
    ),
    "a subscription stalls": ("SUB-02", history(PAIR, step("s", 2, 3, 0, ONE), s0=[ONE, TWO])),
    "an empty batch": ("SUB-05", history(PAIR, step("s", 2, 3, 0, ONE, TWO), step("s", 4, 5, 2), s0=[ONE, TWO])),
    "an error that is not the contract's": (
        "READ-06",
        history(call("read", "a", 0, 1, outcome="error", stream="s0", message="KeyError: 1"), s0=[]),
    ),
    "a batch that never returns": (
        "APPEND-11",
        History((call("batch", "a", 0, 1, outcome="open", items=PLAIN.items),), {"s0": (ONE,)}, stuck=("a",)),
    ),
}
