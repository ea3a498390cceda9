"""READ-05: axes of a filter beside each other, axes with many members, and keys that a path or a quote would spoil."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.filters import ANY, expect_filtered
from conformance_tests.expect import equal, true
from conformance_tests.looking import told
from mink_core import Capability, Direction, EventFilter, Partition

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import StoredEvent

_MANY = 1200
"""Members of an axis: more than some storages take parameters, and more than a page of some."""
_KEYS = ("", "n.k", "$", "$.k", 'a"b', "a'b", "a\\b", "a b", "[0]", "0", "%", "?", ":k", "\u00e9", "{}")


@check("READ-05", "READ-03")
def filters_by_any_two_axes(lab: Lab) -> None:
    """Whichever axes a filter has beside each other, an event must pass all of them, forward and backward."""
    store = lab.open()
    for number in range(48):
        event = lab.event(
            number, event_type=("Placed", "Paid", "Sent")[number % 3], metadata={"k": number % 4, "other": number % 5}
        )
        store.append(f"{('order', 'bill')[number // 2 % 2]}-{number % 7}", [event], expected_version=ANY)
    everything = list(store.read_all())
    axes = _axes(everything, lab.capabilities)
    chosen = [*combinations(axes, 2), tuple(axes)]
    matched = 0
    for names in chosen:
        given: dict[str, Any] = {name: axes[name] for name in names}
        what = " and ".join(names)
        want = expect_filtered(store, EventFilter(**given), everything, what)
        matched += len(want)
        if Capability.BACKWARDS in lab.capabilities:
            back = list(store.read_all(where=EventFilter(**given), direction=Direction.BACKWARD))
            equal(told(back), told(want[::-1]), f"read_all backward with {what}")
    true(matched, "filters that match", expected="some")


def _axes(everything: list[StoredEvent], capabilities: frozenset[Capability]) -> dict[str, Any]:
    axes: dict[str, Any] = {
        "event_types": ("Placed", "Paid"),
        "stream_ids": ("order-0", "order-1", "bill-2", "bill-3", "order-4", "order-5"),
        "categories": ("order",),
    }
    if Capability.METADATA_FILTER in capabilities:
        axes["metadata"] = {"k": 1}
    if Capability.TIME_FILTER in capabilities:
        axes |= {"since": everything[8].timestamp, "until": everything[40].timestamp}
    if Capability.PARTITIONS in capabilities:
        axes["partition"] = Partition(0, 2)
    return axes


@check("READ-05")
def filters_of_many_members(lab: Lab) -> None:
    """An axis of 1,200 members lets through what any of them does, the last as well as the first."""
    store = lab.open()
    for number in (0, 1, 700, 998, 999, 1000, _MANY - 1, _MANY):
        store.append(f"c{number}-1", [lab.event(number, event_type=f"T{number}")], expected_version=0)
    everything = list(store.read_all())
    for where in (
        EventFilter(stream_ids=tuple(f"c{number}-1" for number in range(_MANY))),
        EventFilter(categories=tuple(f"c{number}" for number in range(_MANY))),
        EventFilter(event_types=tuple(f"T{number}" for number in range(_MANY))),
    ):
        (axis,) = (name for name in ("stream_ids", "categories", "event_types") if getattr(where, name))
        want = expect_filtered(store, where, everything, f"{_MANY} {axis}")
        equal(len(want), 7, f"events that pass {_MANY} {axis}")


@check("READ-05", needs={Capability.METADATA_FILTER})
def filters_by_any_key_of_the_metadata(lab: Lab) -> None:
    """A key of the metadata is compared as it is: it is no path, no pattern and no part of a statement."""
    store = lab.open()
    for number, key in enumerate(_KEYS):
        store.append(f"order-{number % 3}", [lab.event(number, metadata={key: number})], expected_version=ANY)
    nested = {"n": {"k": 1}, "k": 3, "a": {"b": 5}}
    store.append("nested-1", [lab.event(None, metadata=nested)], expected_version=0)
    everything = list(store.read_all())
    for number, key in enumerate(_KEYS):
        want = expect_filtered(store, EventFilter(metadata={key: number}), everything, f"metadata of {key!r}")
        equal([event.data for event in want], [number], f"what passes a filter by metadata of {key!r}")
