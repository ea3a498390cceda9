"""SUB-06 and READ-05: where a durable subscription begins, and what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal
from conformance_tests.matching import passes
from conformance_tests.patience import wait_until
from mink_core import Capability, EventFilter, ExpectedVersion

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Store

ANY = ExpectedVersion.ANY
DURABLE = {Capability.DURABLE_SUBSCRIPTIONS}
_QUICK: dict[str, Any] = {"poll_interval": 0.01, "lease_seconds": 2.0}


def _given(store: Store, name: str, number: int, **asked: Any) -> list[Any]:
    """The ids of the events that a worker was given, which is ended once there are so many."""
    seen: list[Any] = []
    with store.subscription(name, lambda event: seen.append(event.event_id), **_QUICK, **asked):
        wait_until(lambda: len(seen) >= number, f"{number} events", lambda: len(seen))
    return seen


@check("SUB-06", needs=DURABLE)
def a_durable_subscription_begins_where_it_is_told(lab: Lab) -> None:
    """A new name begins after `after_position`; one that has begun goes on where it was, whatever it is told then."""
    store = lab.open()
    store.append("order-1", lab.events(6), expected_version=0)
    feed = list(store.read_all())
    ids = [event.event_id for event in feed]
    after = feed[2].global_position
    equal(_given(store, "late", 3, after_position=after), ids[3:], "what a new name was given after the third event")
    told: tuple[dict[str, Any], ...] = ({}, {"after_position": 0}, {"after_position": after}, {"after_position": None})
    for asked in told:
        ids += store.append("order-1", lab.events(2), expected_version=ANY).event_ids
        equal(_given(store, "late", 2, **asked), ids[-2:], f"what it was given when it had begun, told {asked}")


@check("SUB-06", needs=DURABLE)
def what_comes_from_now_on_counts_from_then(lab: Lab) -> None:
    """One that began with what comes, and was given nothing, goes on from there: its position was written down at once."""
    store = lab.open()
    store.append("order-1", lab.events(4), expected_version=0)
    head = store.head_position()
    with store.subscription("now", lambda _: None, after_position=None, **_QUICK):
        wait_until(lambda: _position_of(store) is not None, "its position", lambda: _position_of(store))
    equal(_position_of(store), head, "the position of one that began with what comes from now on")
    result = store.append("order-1", lab.events(3), expected_version=ANY)
    equal(_given(store, "now", 3), list(result.event_ids), "what it was given of the events after that")


def _position_of(store: Store) -> int | None:
    return next((it.partitions[0].position for it in store.subscriptions.list() if it.name == "now"), None)


@check("SUB-06", "READ-05", needs=DURABLE | {Capability.METADATA_FILTER, Capability.TIME_FILTER})
def durable_subscriptions_filter_by_every_axis(lab: Lab) -> None:
    """A worker's filter by metadata and by time holds, by itself and with other axes, and with several partitions."""
    store = lab.open()
    for number in range(40):
        event = lab.event(None, event_type=("Placed", "Paid")[number % 2], metadata={"tenant": number % 3})
        store.append(f"order-{number % 7}", [event], expected_version=ANY)
    feed = list(store.read_all())
    since, until = feed[9].timestamp, feed[34].timestamp
    filters = [
        EventFilter(metadata={"tenant": 1}),
        EventFilter(since=since, until=until),
        EventFilter(metadata={"tenant": 2}, since=since, event_types=("Paid",)),
    ]
    for partitions in (1, 3) if Capability.PARTITIONS in lab.capabilities else (1,):
        for number, where in enumerate(filters):
            wanted = [event.event_id for event in feed if passes(event, where)]
            seen = _given(store, f"s-{partitions}-{number}", len(wanted), where=where, partitions=partitions)
            if partitions > 1:  # each stream keeps its order, and no other does
                wanted, seen = sorted(wanted), sorted(seen)
            equal(seen, wanted, f"what a worker of {partitions} partitions with {where} was given")
