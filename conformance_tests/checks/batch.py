"""APPEND-11: several streams in one call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import nothing_stored, result_of, versions
from mink_core import Capability, ConcurrencyError, ExpectedVersion, StreamAppend, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS
BATCH = {Capability.APPEND_BATCH}


@check("APPEND-11", "APPEND-10", needs=BATCH)
def a_batch_stores_in_the_order_of_the_call(lab: Lab) -> None:
    """Results and positions of a batch follow the order of its items, whatever order their ids have."""
    store = lab.open()
    store.append("m-1", lab.events(2), expected_version=0)
    names = ["z-1", "a-1", "m-1", "B-1", "\uffff", "\U0001f600", "b-1"]
    items = [
        StreamAppend(name, lab.events(1 + number % 3), 2 if name == "m-1" else NO_STREAM)
        for number, name in enumerate(names)
    ]
    before = store.head_position()
    results = store.append_batch(items)
    equal([result.stream_id for result in results], names, "the streams of the results, in order")
    feed = list(store.read_all(after_position=before))
    equal([it.event_id for it in feed], [event.event_id for item in items for event in item.events], "the feed's order")
    for item, result in zip(items, results, strict=True):
        mine = list(store.read_stream(item.stream_id, after_version=result.first_version - 1))
        equal(
            [it.event_id for it in mine], [event.event_id for event in item.events], f"the events of {item.stream_id}"
        )
        equal(result, result_of(mine), "an item's result, and one made of the events read")


@check("APPEND-11", "APPEND-01", "APPEND-03", "APPEND-04", needs=BATCH)
def a_batch_is_all_or_nothing(lab: Lab) -> None:
    """Where one item is refused, wherever it stands, no item is stored, and the error names that item."""
    store = lab.open()
    store.append("old-1", lab.events(3), expected_version=0)
    faults: tuple[tuple[str, Any, int], ...] = (
        ("old-1", 2, 3),
        ("old-1", 4, 3),
        ("old-1", NO_STREAM, 3),
        ("new-9", 7, 0),
        ("new-9", STREAM_EXISTS, 0),
    )
    for name, expected, actual in faults:
        for place in range(3):
            items = [StreamAppend(f"new-{number}", lab.events(2), (ANY, 0)[number % 2]) for number in range(3)]
            items[place] = StreamAppend(name, lab.events(2), expected)
            with (
                nothing_stored(store, f"a batch whose item {place} conflicts"),
                raises(ConcurrencyError, "the item at fault", stream_id=name, expected=expected, actual=actual),
            ):
                store.append_batch(items)
    for place in range(3):
        items = [StreamAppend(f"new-{number}", lab.events(2), 0) for number in range(3)]
        items[place] = StreamAppend("new-9", [lab.event(object())], 0)
        with nothing_stored(store, "a batch with a bad item"), raises(UsageError, "a batch with a bad item"):
            store.append_batch(items)
    store.append_batch([StreamAppend(f"new-{number}", lab.events(2), 0) for number in range(3)])


@check("APPEND-11", needs=BATCH)
def a_stream_named_twice_sees_its_earlier_item(lab: Lab) -> None:
    """An item of a stream that the batch named before is held to the version that the earlier item made."""
    store = lab.open()
    results = store.append_batch(
        [
            StreamAppend("order-1", lab.events(2), NO_STREAM),
            StreamAppend("order-2", lab.events(1), ANY),
            StreamAppend("order-1", lab.events(1), 2),
            StreamAppend("order-1", lab.events(2), STREAM_EXISTS),
            StreamAppend("order-1", lab.events(1), ANY),
        ]
    )
    equal([(it.first_version, it.last_version) for it in results], [(1, 2), (1, 1), (3, 3), (4, 5), (6, 6)], "versions")
    events, info = list(store.read_stream("order-1")), store.stream_info("order-1")
    equal([event.version for event in events], [1, 2, 3, 4, 5, 6], "the versions of a stream named four times")
    times = (events[0].timestamp, events[-1].timestamp)
    equal((info.created_at, info.updated_at), times, "when it was created and updated, and its events' timestamps")
    for expected, actual in ((NO_STREAM, 2), (1, 2), (0, 2), (3, 2)):
        items = [StreamAppend("order-3", lab.events(2), NO_STREAM), StreamAppend("order-3", lab.events(1), expected)]
        with (
            nothing_stored(store, "a batch that contradicts itself"),
            raises(ConcurrencyError, "the second item", stream_id="order-3", actual=actual),
        ):
            store.append_batch(items)
    with (
        nothing_stored(store, "a batch that contradicts itself"),
        raises(ConcurrencyError, stream_id="order-1", actual=7),
    ):
        store.append_batch([StreamAppend("order-1", lab.events(1), 6), StreamAppend("order-1", lab.events(1), 6)])


@check("APPEND-07", "APPEND-11", needs=BATCH)
def wrong_batches_are_refused(lab: Lab) -> None:
    """An empty batch, and what are no items, is a UsageError."""
    store: Any = lab.open()
    good = StreamAppend("order-1", lab.events(1), ANY)
    wrong: tuple[tuple[Any, str], ...] = (
        ([], "an empty batch"),
        (iter(()), "an empty iterator"),
        ([good, None], "None among the items"),
        ([good, ("order-2", lab.events(1), ANY)], "a tuple for an item"),
        ([good, StreamAppend("order-2", [], ANY)], "an item without events"),
        ([good, StreamAppend("order-2", lab.events(1), -1)], "an item with a wrong expectation"),
        (
            [good, StreamAppend("order-2", lab.events(1), expected_version=True)],
            "an item with a bool for its expectation",
        ),
        ([good, StreamAppend("-2", lab.events(1), ANY)], "an item with a wrong stream id"),
    )
    for items, what in wrong:
        with nothing_stored(store, what), raises(UsageError, what):
            store.append_batch(items)


@check("APPEND-11", needs=BATCH)
def a_batch_of_many_streams(lab: Lab) -> None:
    """A batch of 300 streams, given as a generator, is stored whole; then all of them are appended to again."""
    store = lab.open()
    names = [f"many-{number}" for number in range(300)]
    lab.random.shuffle(names)
    store.append_batch(StreamAppend(name, lab.events(1), 0) for name in names)
    equal([it.stream_id for it in store.read_all()], names, "the streams in the order of the call")
    equal([it.stream_id for it in store.streams()], sorted(names), "the streams listed")
    results = store.append_batch([StreamAppend(name, lab.events(2), 1) for name in sorted(names)])
    true(all(it.first_version == 2 and it.last_version == 3 for it in results), "the versions of the second batch")  # noqa: PLR2004 -- as given


@check("APPEND-11", "APPEND-05", needs=BATCH)
def batches_in_opposite_orders_never_deadlock(lab: Lab) -> None:
    """Batches over the same streams in opposite orders, racing, all succeed under ANY."""
    handles = [lab.open() for _ in range(6)]
    names = [f"lock-{number}" for number in range(8)]
    for round_ in range(8):
        calls = []
        for number, store in enumerate(handles):
            mine = names if number % 2 else names[::-1]
            items = [StreamAppend(f"{name}.{round_ // 2}", lab.events(1), ANY) for name in mine]
            calls.append(partial(store.append_batch, items))
        for result in lab.together(calls):
            true(isinstance(result, list), "a batch racing with others", expected="its results", seen=repr(result))
    expected = list(range(1, 2 * len(handles) + 1))
    for name in names:
        for part in range(4):
            equal(versions(handles[0], f"{name}.{part}"), expected, "versions after the racing batches")
