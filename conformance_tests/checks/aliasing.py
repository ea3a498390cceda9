"""APPEND-08 and READ-08: no object is shared between the store, its callers and its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal
from mink_core import Capability, ExpectedVersion, NewEvent, StreamAppend

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
        lambda: store.poll(0).events,
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
