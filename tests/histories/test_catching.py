"""Each twin is rejected by a check of the rule it breaks, at `smoke`; a good store by none.

How threads meet is chance, and more so on a busy machine: a twin that one seed does not catch gets another.
MINK_CATCH_SEEDS=20 measures the catch rate over as many seeds; then each must catch it.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.histories import twins
from tests.histories.catching import checks_of, failure, first_failure

if TYPE_CHECKING:
    from collections.abc import Callable

SLIPS = re.compile(r"\b(Attribute|Type|Name|Index|Key|Import|Assertion)Error\b")
SEEDS = range(int(os.environ.get("MINK_CATCH_SEEDS", "0")))
TRIES = range(6)


@pytest.mark.parametrize("twin", [*twins.SYNC, *twins.ASYNC, *twins.AT_STANDARD], ids=lambda twin: twin.__name__)
def test_a_twin_is_rejected_by_its_rule(twin: Any, record_property: Callable[[str, object], None]) -> None:
    rules = [rule.strip() for rule in (twin.__doc__ or "").partition(":")[0].split(",")]
    area = rules[0].partition("-")[0]
    patterns = [rules[0], *(f"{area}-{number}" for number in rules[1:])]
    found = {}
    for seed in SEEDS or TRIES:
        if (error := first_failure(twin, seed, *patterns)) is not None:
            found[seed] = error
            if not SEEDS:
                break
    record_property("caught", f"{len(found)} of {len(SEEDS)}" if SEEDS else f"by seed {list(found)}")
    assert found
    assert not SEEDS or list(found) == list(SEEDS)
    for error in found.values():  # a twin that does not even run proves nothing
        assert not SLIPS.search(f"{error.what} {error.seen}"), (error.what, error.seen)


@pytest.mark.parametrize("store", [twins.Wrapped, twins.AsyncWrapped])
def test_a_good_store_is_rejected_by_none(store: Any) -> None:
    for check in checks_of("racing_appends*", "readers_of*", "commits_out*"):
        error = failure(check, store, seed=7)
        assert error is None, (check.id, error)


def test_a_failing_history_is_small_and_told() -> None:
    (check,) = checks_of("racing_appends_are_linearizable")
    errors = (failure(check, twins.ReadThenWrite, seed=seed, shrink=True) for seed in range(3, 9))
    error = next(error for error in errors if error is not None)
    blamed = [step for step in error.timeline if step.at_fault]
    assert len(blamed) >= 2
    assert len({step.actor for step in blamed}) >= 2
    appends = [step for step in error.timeline if "+=" in step.call]
    assert len(appends) <= 6, [step.call for step in appends]
    assert any(rule in error.what for rule in ("APPEND-03", "APPEND-04", "APPEND-06"))


def test_a_failure_is_judged_the_same_from_its_file() -> None:
    """The recorded history is judged again exactly, also by a store that is good by now."""
    (check,) = checks_of("racing_appends_are_linearizable")
    found = (failure(check, twins.ReadThenWrite, seed=seed) for seed in range(5, 11))
    first = next(error for error in found if error is not None)
    kept = json.loads(json.dumps(first.replay))
    for store, reruns in ((twins.ReadThenWrite, "broke a rule in"), (twins.Wrapped, "broke a rule in 0")):
        again = failure(check, store, seed=99, replay=kept)
        assert again is not None
        assert (again.what, again.expected, again.seen) == (first.what, first.expected, first.seen)
        assert any(reruns in note for note in again.notes)
    assert again.timeline == first.timeline


def test_a_subscription_that_does_not_end_is_told() -> None:
    (check,) = checks_of("waiting_subscriptions_end_promptly")
    error = failure(check, twins.SleepsOn, seed=0)
    assert error is not None
    assert "SUB-04" in error.what
