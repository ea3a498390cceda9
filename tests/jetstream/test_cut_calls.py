"""Calls of which the log has the beginning alone, and readers that stop in the middle of one: nobody takes that for an end."""

from __future__ import annotations

from math import inf

import pytest

from mink_core import EventFilter
from mink_jetstream import JetStreamEventStore
from mink_jetstream.patience import Patience
from tests.jetstream.storing import FOREVER, ORDERS, READS, STREAMS, batch, events, long_call


def paged(store: JetStreamEventStore, limit: int, where: EventFilter) -> list[int]:
    """The positions that polls give until one is empty and does not move on: there is no more then (FEED-06)."""
    position, found = 0, []
    while (page := store.poll(position, limit=limit, where=where)).next_position > position:
        found += [event.global_position for event in page.events]
        position = page.next_position
    return found


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("where", [EventFilter(), ORDERS])
def test_pages_that_are_full_in_the_middle_of_a_call_go_on_to_its_end(storing, store, reader, limit, where):
    long_call(store)
    storing.show(3, 9)
    assert paged(reader, limit, where) == [1, 2, 3, 4, 5]


async def never(patience: Patience) -> bool:
    return False


@pytest.fixture
def cut(storing, store, reader, monkeypatch) -> JetStreamEventStore:
    """Positions 2 and 3 are of a call that ends at 5 and was cut; a reader that has given it up."""
    store.append("order-1", events(1), expected_version=0)
    with monkeypatch.context() as now:
        now.setattr("mink_jetstream.appending.rests", lambda writes: iter(["3 3", "2 2"]))
        store.append("order-1", events(2), expected_version=1)
        now.setattr(Patience, "pause", never)
        for read in (READS | STREAMS).values():
            if read not in {READS["subscribe"], STREAMS["append"]}:
                assert read(reader) == 3
    return reader


@pytest.mark.parametrize("read", READS | STREAMS)
def test_a_call_that_ends_where_one_should_that_was_cut_is_whole(storing, store, cut, read):
    store.append("order-1", events(2), expected_version=3)
    storing.show(4, 3)
    assert (READS | STREAMS)[read](cut) == 5


def test_what_was_seen_of_another_history_is_not_there(storing, store, reader):
    """A restored backup may be shorter: a batch is stored where this reader has seen events."""
    batch(store)
    for name in ("order-1", "other-1"):
        assert reader.stream_info(name).version > 1
    store._portal.run(store._inner.drop(store.options.store))
    store.initialize()
    batch(store)
    reader._inner._place._looked = -inf  # it looks now and then
    storing.show(3, 4)
    assert reader.stream_info("order-1").version == 3
    assert reader.stream_info("other-1").version == 2


@pytest.mark.parametrize("read", ["poll", "head_position", "stream_info"])
def test_what_was_given_up_of_another_history_is_waited_for(storing, store, cut, read):
    """In a restored backup other calls have the positions of the one that was cut."""
    store._portal.run(store._inner.drop(store.options.store))
    store.initialize()
    long_call(store)
    cut._inner._place._looked = -inf
    cut.stream_info("order-1")
    storing.show(3, 3)
    assert (READS | STREAMS)[read](cut) == 5


@pytest.mark.parametrize("read", ["stream_info", "read_stream", "streams"])
def test_a_stream_that_goes_on_is_not_cut(storing, store, reader, read, monkeypatch):
    """Each look may meet the middle of another call. The time of the first one is not that of the next."""
    long_call(store)
    store.append("order-1", events(4), expected_version=5)
    waited: list[Patience] = []

    async def once(patience: Patience) -> bool:
        if patience in waited:
            return False
        waited.append(patience)
        return True

    monkeypatch.setattr(Patience, "pause", once)
    monkeypatch.setattr(storing, "_top", lambda: [3, 7, FOREVER][min(len(waited), 2)])
    assert STREAMS[read](reader) == 9
