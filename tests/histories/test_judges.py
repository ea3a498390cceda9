"""Every judge, on histories made by hand: silent on the good ones, and naming the rule on the bad ones."""

from __future__ import annotations

import pytest

from conformance_tests.histories.history import History, from_builtins, to_builtins
from conformance_tests.histories.judge import JUDGES, judge
from tests.histories.bad import BAD
from tests.histories.good import GOOD


@pytest.mark.parametrize("name", GOOD)
def test_good_histories_pass(name: str) -> None:
    assert judge(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_histories_are_told_by_their_rule(name: str) -> None:
    rule, bad = BAD[name]
    found = judge(bad)
    assert rule in {violation.rule for violation in found}, found
    assert all(violation.calls or violation.rule.startswith(("APPEND", "SUB")) for violation in found)


@pytest.mark.parametrize("name", BAD)
def test_a_history_is_judged_the_same_after_a_file(name: str) -> None:
    bad = BAD[name][1]
    kept = from_builtins(to_builtins(bad))
    assert [violation.rule for violation in judge(kept)] == [violation.rule for violation in judge(bad)]


def test_how_soon_the_feed_shows_is_not_judged_after_a_fault() -> None:
    late = BAD["the feed waits for nobody"][1]
    faulty = History(late.calls, late.streams, faults=True)
    assert judge(late) != []
    assert judge(faulty) == []


@pytest.mark.parametrize("judge_left_out", JUDGES, ids=lambda one: one.__name__)
def test_every_judge_is_needed(judge_left_out: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, one of the bad histories above passes its rule: the tests here would notice if it went blind."""
    monkeypatch.setattr(
        "conformance_tests.histories.judge.JUDGES", [one for one in JUDGES if one is not judge_left_out]
    )
    missed = [name for name, (rule, bad) in BAD.items() if rule not in {found.rule for found in judge(bad)}]
    assert missed != []
