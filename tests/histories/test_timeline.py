"""A history as a picture."""

from __future__ import annotations

from conformance_tests.histories.counting import CONFLICTS, HELD, OVERLAPS, PAGES, REPEATS, UNDONE, count
from conformance_tests.histories.judge import judge
from conformance_tests.histories.timeline import steps
from conformance_tests.report.timeline import as_text
from tests.histories.made import append, ends, history, poll, refused, seen

RACE = history(
    append("actor 0", 1_000_000, 4_000_000, [1], 0, (1, 1)),
    append("actor 1", 2_000_000, 3_000_000, [2], 0, (1, 2)),
    poll("reader 0", 5_000_000, 6_000_000, 0, 2, seen(1, 1, 1), seen(2, 2, 2)),
    s0=[seen(1, 1, 1), seen(2, 2, 2)],
)

PICTURE = """\
      ms  actor 0                 actor 1                 reader 0
   1.000  !┌ s0 += #1 if 0
   2.000   │                      !┌ s0 += #2 if 0
   3.000   │                      !└ v1-1@2
   4.000  !└ v1-1@1
   5.000                                                   ┌ poll after 0
   6.000                                                   └ [#1@1 #2@2] next 2"""


def test_a_race_is_drawn_with_an_actor_a_column() -> None:
    found = next(violation for violation in judge(RACE) if violation.rule == "APPEND-06")
    assert as_text(steps(RACE, found.calls), width=82) == PICTURE


def test_a_long_history_is_drawn_around_the_fault() -> None:
    calls = [append("a", 10 * n, 10 * n + 5, [n], n, (n + 1, n + 1)) for n in range(200)]
    long = history(*calls, s0=[seen(n, n + 1, n + 1) for n in range(200)])
    shown = steps(long, [calls[150]])
    assert len(shown) == 60
    assert [step.at_fault for step in shown].count(True) == 1
    assert shown == sorted(shown, key=lambda step: step.begun)


def test_what_was_met_is_counted() -> None:
    met = count(
        history(
            ends("a", 0, 1, "begin", 7),
            append("a", 2, 3, [1], 0, (1, 1), tx=7),
            append("b", 4, 5, [2], 0, (1, 2), "s1"),
            poll("r", 5, 6, 0, 0),
            ends("a", 8, 9, "commit", 7),
            ends("c", 10, 11, "begin", 8),
            ends("c", 12, 13, "rollback", 8),
            append("b", 14, 17, [2], 0, (1, 2), "s1"),
            refused("c", 15, 16, [3], 0, 1),
            poll("r", 15, 16, 0, 2, seen(1, 1, 1), seen(2, 1, 2, "s1")),
            s0=[seen(1, 1, 1)],
            s1=[seen(2, 1, 2, "s1")],
        )
    )
    assert met == {HELD: 1, UNDONE: 1, REPEATS: 1, CONFLICTS: 1, OVERLAPS: 1, PAGES: 1}
