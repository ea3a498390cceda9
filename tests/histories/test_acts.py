"""The judges of checkpoints and leases, on acts made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from conformance_tests.histories.acts import SECOND, Act, judge_checkpoint, judge_leases, steps


def act(kind: str, worker: str, begun: float, ended: float, outcome: str = "ok", **more: Any) -> Act:
    return Act(worker, int(begun * SECOND), int(ended * SECOND), kind, outcome, **more)


def save(worker: str, begun: float, ended: float, expected: int | None, position: int, **more: Any) -> Act:
    return act("save", worker, begun, ended, expected=expected, position=position, **more)


def refused(worker: str, begun: float, ended: float, expected: int | None, actual: int | None) -> Act:
    return act("save", worker, begun, ended, "conflict", expected=expected, position=actual)


def hold(worker: str, begun: float, ended: float, **tokens: int) -> Act:
    leases = {int(name[1:]): token for name, token in tokens.items()}
    return act("hold", worker, begun, ended, seconds=10, leases=leases)


GOOD_SAVES = {
    "one after another": [save("a", 0, 1, None, 5), save("b", 2, 3, 5, 9), act("load", "c", 4, 5, position=9)],
    "a race": [save("a", 0, 5, None, 5), refused("b", 1, 4, None, 5), act("load", "c", 1, 2, position=None)],
    "told late": [save("a", 0, 9, None, 5), save("b", 1, 2, 5, 6), refused("c", 3, 4, 1, 6)],
}
BAD_SAVES = {
    "two winners": [save("a", 0, 1, None, 5), save("b", 0, 1, None, 6)],
    "from where nobody was": [save("a", 0, 1, None, 5), save("b", 2, 3, 4, 7)],
    "against time": [save("b", 0, 1, 5, 9), save("a", 2, 3, None, 5)],
    "an old position is loaded": [save("a", 0, 1, None, 5), act("load", "b", 2, 3, position=None)],
    "a position to come is loaded": [act("load", "b", 0, 1, position=5), save("a", 2, 3, None, 5)],
    "a conflict that is none": [save("a", 0, 1, None, 5), refused("b", 2, 3, 5, 5)],
    "a conflict with what never was": [save("a", 0, 1, None, 5), refused("b", 2, 3, 4, 4)],
}
GOOD_LEASES = {
    "shared": [hold("a", 0, 1, p0=1), hold("b", 0, 1, p1=1), hold("a", 5, 6, p0=1)],
    "handed back": [
        hold("a", 0, 1, p0=1),
        act("release", "a", 2, 3, partition=0),
        hold("b", 3.5, 4, p0=2),
    ],
    "left": [hold("a", 0, 1, p0=1), act("leave", "a", 2, 3), hold("b", 4, 5, p0=2)],
    "expired": [hold("a", 0, 1, p0=1), hold("b", 10.5, 11, p0=2), save("a", 12, 13, 1, 2, partition=0, token=2)],
    "an old token before the change of hands": [
        hold("a", 0, 1, p0=1),
        save("a", 10, 12, None, 1, partition=0, token=1),
        hold("b", 10.5, 11, p0=2),
    ],
}
BAD_LEASES = {
    "two owners": [hold("a", 0, 1, p0=1), hold("b", 4, 5, p0=2)],
    "one token for two": [hold("a", 0, 1, p0=1), hold("b", 11, 12, p0=1)],
    "tokens go back": [hold("a", 0, 1, p0=4), hold("b", 11, 12, p0=3)],
    "an old token is let in": [
        hold("a", 0, 1, p0=1),
        hold("b", 11, 12, p0=2),
        save("a", 13, 14, None, 1, partition=0, token=1),
    ],
}


@pytest.mark.parametrize("name", GOOD_SAVES)
def test_good_saves_pass(name: str) -> None:
    assert list(judge_checkpoint(GOOD_SAVES[name])) == []


@pytest.mark.parametrize("name", BAD_SAVES)
def test_bad_saves_are_told(name: str) -> None:
    found = list(judge_checkpoint(BAD_SAVES[name]))
    assert {broken.rule for broken in found} == {"SUB-08"}


@pytest.mark.parametrize("name", GOOD_LEASES)
def test_good_leases_pass(name: str) -> None:
    assert list(judge_leases(GOOD_LEASES[name])) == []


@pytest.mark.parametrize("name", BAD_LEASES)
def test_bad_leases_are_told_and_drawn(name: str) -> None:
    found = list(judge_leases(BAD_LEASES[name]))
    assert {broken.rule for broken in found} == {"SUB-09"}
    assert any(step.at_fault for step in steps(BAD_LEASES[name], found[0].acts))
