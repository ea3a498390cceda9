"""Servers that tell an end of the log below what this store has appended: they are behind, and it says so or waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mink_core import ExpectedVersion, NewEvent, PositionAheadError, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.acknowledged import Acknowledged
from mink_jetstream.place import Place
from tests.jetstream.feeding import READS
from tests.jetstream.pretended import end_all_patience
from tests.jetstream.storing import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """So many times, who is asked for the end of the log has the first event alone."""
    info, left = Place.info, [0]

    async def late(self: Place, **more: Any) -> Any:
        found = await info(self, **more)
        if not left[0]:
            return found
        left[0] -= 1
        return msgspec.structs.replace(found, state=msgspec.structs.replace(found.state, last_seq=1))

    monkeypatch.setattr(Place, "info", late)

    def times(count: int) -> list[int]:
        left[0] = count
        return left

    return times


@pytest.mark.parametrize("read", READS)
def test_the_feed_ends_at_what_this_store_has_appended(three, old, read):
    left = old(3)
    assert [event.version for event in READS[read](three)] == [2, 3]
    assert left == [0]


def test_a_feed_that_forgets_what_was_appended_ends_early(three, old, monkeypatch):
    """The broken twin of the one above."""
    monkeypatch.setattr(Acknowledged, "newest", property(lambda known: 0, lambda known, value: None), raising=False)
    for read in ("poll", "read_all"):
        old(1)
        assert READS[read](three) == []
    old(1)
    assert three.head_position() == 1


def test_the_head_is_what_this_store_has_appended(three, old, url):
    for read in (three.head_position, lambda: three.feed_status().high):
        left = old(3)
        assert (read(), left) == (3, [0])

    async def run() -> tuple[int, int]:
        async with AsyncJetStreamEventStore(url) as store:
            result = await store.append("order-2", [NewEvent("Placed", 4)], expected_version=ANY)
            old(3)
            return result.last_position, await store.head_position()

    assert asyncio.run(run()) == (4, 4)


def test_who_is_behind_all_the_time_is_told_in_time(three, old, monkeypatch):
    end_all_patience(monkeypatch)
    old(FOREVER)
    for read in (READS["poll"], READS["read_all"], READS["read_all backwards"], JetStreamEventStore.head_position):
        with pytest.raises(TransientStorageError, match="behind position 3, which this store has appended"):
            read(three)


def test_a_reader_whose_events_were_lost_is_told(three, old, monkeypatch):
    """FEED-08, by a store that has appended them: a backup was restored, and nobody has bumped its epoch."""
    end_all_patience(monkeypatch)
    old(FOREVER)
    with pytest.raises(PositionAheadError):
        three.poll(3)


def test_another_history_is_read_as_it_is(three, old, monkeypatch):
    """A restored backup with a new epoch; a server that was cut off may tell an old one, and is not believed."""
    identity_of, said = Place.identity_of, []

    def older(self: Place, info: Any) -> Any:
        identity = identity_of(self, info)
        return said.pop() if said else identity

    three.identity()
    monkeypatch.setattr(Place, "identity_of", older)
    said.append(msgspec.structs.replace(three.identity(), epoch=0))
    left = old(3)
    assert [event.version for event in three.poll(1).events] == [2, 3]
    assert (left, said) == ([0], [])
    three.bump_epoch()
    old(FOREVER)
    assert three.poll(0).next_position == 1
    assert three.head_position() == 1


def test_what_was_found_to_be_stored_is_appended_too(replicated, store, url):
    """The reply to a repeat says that it is there, so a read after it shows it."""
    events = [NewEvent("Placed", number) for number in range(2)]
    store.append("order-1", events, expected_version=0)
    store.append("order-1", [NewEvent("Paid", 1)], expected_version=2)
    with JetStreamEventStore(url) as other:
        acknowledged = other._inner._reading.acknowledged
        other.append("order-1", events, expected_version=0)
        assert (acknowledged.of("order-1"), acknowledged.newest) == (2, 2)
        other.append("order-1", [NewEvent("Paid", 2)], expected_version=3)
        other.append("order-1", events, expected_version=0)
        assert (acknowledged.of("order-1"), acknowledged.newest) == (4, 4)  # an old one lowers nothing
