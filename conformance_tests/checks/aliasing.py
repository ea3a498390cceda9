"""APPEND-08 and READ-08: no object is shared between the store, its callers and its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal
from conformance_tests.looking import paged
from mink_core import Capability, Direction, ExpectedVersion, NewEvent, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance_tests.lab import Lab
    from mink_core import StoredEvent


def _value() -> Any:
    return {"list": [1, {"deep": [2]}], "dict": {"k": "v"}, "n": 1}


def _spoil(value: Any) -> None:
    value["list"][1]["deep"].append(3)
    value["list"].clear()
    value["dict"]["k"] = "changed"
    value["added"] = True
    del value["n"]


def _expect_whole(events: list[StoredEvent], what: str) -> None:
    for event in events:
        equal(event.data, _value(), f"data {what}")
        equal(event.metadata, _value(), f"metadata {what}")


@check("APPEND-08")
def caller_changes_its_objects_afterwards(lab: Lab) -> None:
    """Changing data, metadata and the list of events after an append changes nothing stored."""
    store = lab.open()
    data, metadata = _value(), _value()
    events = [lab.event(data, metadata=metadata)]
    store.append("order-1", events, expected_version=0)
    _spoil(data)
    _spoil(metadata)
    events.append(lab.event())
    _expect_whole(list(store.read_stream("order-1")), "after the caller changed it")
    _expect_whole(list(store.read_all()), "in the feed after the caller changed it")
    equal(store.stream_info("order-1").version, 1, "the version after the caller changed its list")


@check("APPEND-08", "APPEND-09")
def a_repeat_is_compared_with_what_was_stored(lab: Lab) -> None:
    """A repeated call is compared with what was stored, not with the objects the first call was given."""
    store = lab.open()
    data, metadata = _value(), _value()
    event = lab.event(data, metadata=metadata)
    first = store.append("order-1", [event], expected_version=0)
    _spoil(data)
    _spoil(metadata)
    again = NewEvent(event.event_type, _value(), _value(), event.event_id)
    equal(store.append("order-1", [again], expected_version=0), first, "the repeated call's result")


@check("APPEND-08", needs={Capability.APPEND_BATCH})
def caller_changes_a_batch_afterwards(lab: Lab) -> None:
    """Changing the items of a batch after the call changes nothing stored."""
    store = lab.open()
    data, metadata = _value(), _value()
    events = [lab.event(data, metadata=metadata)]
    items = [StreamAppend("order-1", events, 0), StreamAppend("order-2", lab.events(1), 0)]
    store.append_batch(items)
    _spoil(data)
    _spoil(metadata)
    events.clear()
    items.clear()
    _expect_whole(list(store.read_stream("order-1")), "of a batch after the caller changed it")


@check("APPEND-08", "READ-08", needs={Capability.TRANSACTIONS})
def objects_change_before_the_commit(lab: Lab) -> None:
    """Changing the objects of an append, or of a read, before the transaction's commit changes nothing stored."""
    store = lab.open()
    data, metadata = _value(), _value()
    with store.transaction() as transaction:
        transaction.append("order-1", [lab.event(data, metadata=metadata)], expected_version=0)
        _spoil(data)
        _spoil(metadata)
        read = next(transaction.read_stream("order-1"))
        _spoil(read.data)
        _spoil(read.metadata)
    _expect_whole(list(store.read_stream("order-1")), "after its objects changed before the commit")


@check("READ-08")
def reader_changes_what_it_was_given(lab: Lab) -> None:
    """Changing a returned event changes neither what is stored nor what another reader was given."""
    store, other = lab.open(), lab.open()
    store.append("order-1", [lab.event(_value(), metadata=_value())], expected_version=ExpectedVersion.ANY)
    store.append("order-1", [lab.event({}, metadata=None)], expected_version=1)
    kept = [next(other.read_stream("order-1")), next(other.read_all()), *other.poll(0).events[:1]]
    reads: tuple[Callable[[], Iterable[StoredEvent]], ...] = (
        lambda: store.read_stream("order-1"),
        store.read_all,
        lambda: paged(store, 0, 100),
    )
    for read in reads:
        for _ in range(2):
            first, second = read()
            equal(second.metadata, {}, "absent metadata after a reader changed it")
            _expect_whole([first], "after a reader changed it")
            _spoil(first.data)
            _spoil(first.metadata)
            second.metadata["added"] = 1
            second.data["added"] = 1
    _expect_whole(kept, "that another reader holds")


@check("READ-08", needs={Capability.BACKWARDS})
def reader_changes_what_it_was_given_backward(lab: Lab) -> None:
    """Changing an event that was read backward changes nothing that is read afterwards, either way."""
    store = lab.open()
    store.append("order-1", [lab.event(_value(), metadata=_value())], expected_version=0)
    reads: tuple[Callable[[], Iterable[StoredEvent]], ...] = (
        lambda: store.read_stream("order-1", direction=Direction.BACKWARD),
        lambda: store.read_all(direction=Direction.BACKWARD),
        lambda: store.read_stream("order-1"),
    )
    for _ in range(2):
        for read in reads:
            (event,) = read()
            _expect_whole([event], "after a reader changed it")
            _spoil(event.data)
            _spoil(event.metadata)


@check("READ-08", needs={Capability.SUBSCRIBE})
def subscriber_changes_what_it_was_given(lab: Lab) -> None:
    """Changing an event of a subscription's batch changes nothing that another subscription is given."""
    store = lab.open()
    store.append("order-1", [lab.event(_value(), metadata=_value())], expected_version=0)
    for _ in range(3):
        with store.subscribe(poll_interval=0.05) as subscription:
            (event,) = next(iter(subscription))
            _expect_whole([event], "after a subscriber changed it")
            _spoil(event.data)
            _spoil(event.metadata)


@check("APPEND-08")
def a_call_leaves_what_it_was_given(lab: Lab) -> None:
    """The list of events, the items of a batch and what the events hold are the caller's: an append changes none of them."""
    store = lab.open()

    def made(number: int) -> list[NewEvent]:
        return [lab.event(_value(), metadata=_value() if part else None) for part in range(number)]

    def expect(given: list[NewEvent], kept: list[NewEvent]) -> None:
        equal([event.event_id for event in given], [event.event_id for event in kept], "the caller's list after a call")
        for part, event in enumerate(given):
            equal((event.data, event.metadata), (_value(), _value() if part else None), "its events' data and metadata")

    events = made(3)
    kept = list(events)
    for _ in range(2):  # and as a repeat
        store.append("order-1", events, expected_version=0)
        expect(events, kept)
    if Capability.APPEND_BATCH in lab.capabilities:
        first, second = made(2), made(1)
        items = [StreamAppend("order-3", first, 0), StreamAppend("order-2", second, 0)]
        given, lists = list(items), (list(first), list(second))
        store.append_batch(items)
        equal([it.stream_id for it in items], [it.stream_id for it in given], "the caller's list of items")
        expect(first, lists[0])
        expect(second, lists[1])
