"""APPEND: what an append stores, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import check
from conformance_tests.expect import equal, raises
from mink_core import ConcurrencyError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab


@check("APPEND-02", "APPEND-10")
def versions_count_from_one(lab: Lab) -> None:
    """Appends give a stream the versions 1 to n, in the order of the calls and of their events."""
    store = lab.open()
    given = lab.events(5)
    first = store.append("order-1", given[:2], expected_version=0)
    second = store.append("order-1", given[2:], expected_version=2)
    equal((first.first_version, first.last_version), (1, 2), "the first call's versions")
    equal((second.first_version, second.last_version), (3, 5), "the second call's versions")
    stored = list(store.read_stream("order-1"))
    equal([event.version for event in stored], [1, 2, 3, 4, 5], "the versions read back")
    equal([event.event_id for event in stored], [event.event_id for event in given], "the ids in their order")


@check("APPEND-03")
def exact_conflict_tells_the_true_version(lab: Lab) -> None:
    """An exact expectation below or above the version is refused with the true one, and nothing is stored."""
    store = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    for expected in (1, 3, 2**62):
        with raises(ConcurrencyError, f"expecting {expected} of 2", stream_id="order-1", expected=expected, actual=2):
            store.append("order-1", lab.events(1), expected_version=expected)
    equal([event.version for event in store.read_stream("order-1")], [1, 2], "what is stored after the refusals")
