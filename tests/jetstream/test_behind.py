"""Servers that answer from their past: READ-06 holds whoever answers, or the call says that it does not know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mink_core import (
    Direction,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    PositionAheadError,
    TransientStorageError,
)
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.acknowledged import Acknowledged
from mink_jetstream.answers import Cluster, Peer
from mink_jetstream.connection import Connection
from mink_jetstream.jetstream import JetStream
from mink_jetstream.patience import Patience
from mink_jetstream.place import Place
from mink_jetstream.reading import Reading
from mink_jetstream.requester import Requester
from mink_jetstream.requests import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.events import StoredEvent

ANY = ExpectedVersion.ANY
FOREVER = 1_000_000


async def never(patience: Patience) -> bool:
    return False


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of every call is over at once."""
    monkeypatch.setattr(Patience, "pause", never)


def test_patience_ends_with_the_time():
    async def run() -> list[bool]:
        now = asyncio.get_running_loop().time()
        return [await Patience(deadline).pause() for deadline in (now + 60, now, now - 1)]

    assert asyncio.run(run()) == [True, False, False]


@pytest.fixture
def replicated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server says, there are several copies."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: False, lambda place, value: None), raising=False)


@pytest.fixture
def three(replicated, store: JetStreamEventStore) -> JetStreamEventStore:
    """A store that has appended three events itself."""
    for number in range(3):
        store.append("order-1", [NewEvent("Placed", number)], expected_version=number)
    return store


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


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """So many times, nobody shows an event above the first: a page and who takes itself for the leader."""
    page, following, left = Reading.page, Reading._next, [0]

    async def pages(self: Reading, subject: str, sequence: int, size: int) -> Any:
        found = await page(self, subject, sequence, size)
        return [event for event in found if event.global_position == 1] if left[0] else found

    async def follows(self: Reading, subject: str, sequence: int) -> Any:
        if not left[0]:
            return await following(self, subject, sequence)
        left[0] -= 1
        return None

    monkeypatch.setattr(Reading, "page", pages)
    monkeypatch.setattr(Reading, "_next", follows)

    def times(count: int) -> list[int]:
        left[0] = count
        return left

    return times


def first_batch(store: JetStreamEventStore) -> list[StoredEvent]:
    with store.subscribe(after_position=1) as subscription:
        return list(next(iter(subscription)))


READS = {
    "poll": lambda store: store.poll(1).events,
    "poll with a filter": lambda store: store.poll(1, where=EventFilter(categories=("order",))).events,
    "read_all": lambda store: list(store.read_all(after_position=1)),
    "read_all backwards": lambda store: list(store.read_all(after_position=1, direction=Direction.BACKWARD))[::-1],
    "subscribe": first_batch,
}


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
    impatient(monkeypatch)
    old(FOREVER)
    for read in (READS["poll"], READS["read_all"], READS["read_all backwards"], JetStreamEventStore.head_position):
        with pytest.raises(TransientStorageError, match="behind position 3, which this store has appended"):
            read(three)


def test_a_reader_whose_events_were_lost_is_told(three, old, monkeypatch):
    """FEED-08, by a store that has appended them: a backup was restored, and nobody has bumped its epoch."""
    impatient(monkeypatch)
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


@pytest.mark.parametrize("read", READS)
def test_what_the_feed_has_is_waited_for(three, hidden, read):
    """The mark came from one server, and who is asked for the events has been cut off."""
    left = hidden(3)
    assert [event.version for event in READS[read](three)] == [2, 3]
    assert left == [0]


def test_a_stream_is_read_to_its_end(three, hidden):
    left = hidden(3)
    assert [event.version for event in three.read_stream("order-1")] == [1, 2, 3]
    assert left == [0]
    left = hidden(1)
    assert three.stream_info("order-1").version == 3
    assert left == [0]


def test_a_stream_is_never_told_in_part(three, hidden, monkeypatch):
    impatient(monkeypatch)
    hidden(FOREVER)
    with pytest.raises(TransientStorageError, match="behind the stream's event at position 3"):
        list(three.read_stream("order-1"))


def test_a_stream_that_is_listed_is_there(replicated, store, url, monkeypatch):
    """The names came from one server, and who is asked for the stream has been cut off."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    get, left = JetStream.get, [3]

    async def gets(self: JetStream, *wanted: Any) -> Any:
        left[0] -= 1
        return None if left[0] >= 0 else await get(self, *wanted)

    monkeypatch.setattr(JetStream, "get", gets)
    with JetStreamEventStore(url) as other:
        assert [(info.stream_id, info.version) for info in other.streams()] == [("order-1", 1)]
        assert left[0] < 0
        impatient(monkeypatch)
        left[0] = FOREVER
        with pytest.raises(TransientStorageError, match="behind the stream 'order-1'"):
            list(other.streams())


def test_who_does_not_wait_reads_less(three, hidden, monkeypatch):
    """The broken twin of the ones above."""
    impatient(monkeypatch)
    hidden(2)
    assert three.poll(0).next_position == 1  # a page may be short
    reads: list[Callable[[], object]] = [
        lambda: three.poll(1),  # but an empty one would say that there is no more (FEED-06)
        lambda: list(three.read_all(after_position=1)),
        lambda: list(three.read_stream("order-1")),
    ]
    for read in reads:
        hidden(2)
        with pytest.raises(TransientStorageError):
            read()


def test_the_lag_of_a_subscription_is_not_asked_for_without_end(three, hidden, monkeypatch):
    three.subscriptions.release(three.subscriptions.hold("mail", "me", partitions=1, seconds=60).leases[0])
    three.checkpoints.save("mail", 1, expected=None)
    impatient(monkeypatch)
    left = hidden(50)
    with pytest.raises(TransientStorageError, match="behind position 3"):
        three.subscriptions.list()
    assert left == [48]


def test_half_a_call_is_no_short_page(replicated, store, hidden, monkeypatch):
    """The rest would be hidden from who asks again until a page is empty."""
    store.append("order-1", [NewEvent("Placed", number) for number in range(3)], expected_version=0)
    impatient(monkeypatch)
    hidden(FOREVER)
    with pytest.raises(TransientStorageError, match="behind position 3"):
        store.poll(0)
    assert store.poll(0, limit=1).next_position == 1


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


@pytest.fixture
def doubts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a connection was doubted."""
    found: list[str] = []

    async def doubt(self: Connection) -> None:
        found.append("doubt")

    monkeypatch.setattr(Connection, "doubt", doubt)
    return found


def test_a_copy_that_does_not_answer_is_no_fault_of_the_server_that_was_asked(three, doubts, monkeypatch):
    """A direct get goes to any copy, also to one that is cut off. Who leads answers through the same server."""
    gather, lost = Requester.gather, [2]

    async def losing(self: Requester, *request: Any) -> Any:
        if lost[0]:
            lost[0] -= 1
            raise UnansweredError("no reply came in time")
        return await gather(self, *request)

    monkeypatch.setattr(Requester, "gather", losing)
    assert [event.version for event in three.poll(0).events] == [1, 2, 3]
    assert (lost, doubts) == ([0], [])


def test_a_server_that_shows_less_than_there_is_is_asked_who_leads(three, hidden, doubts, monkeypatch):
    info, cut_off = JetStream.info, Cluster("node-0", tuple(Peer(f"node-{n}", active=4_000_000_000) for n in (1, 2)))

    async def alone(self: JetStream, *which: Any, **more: Any) -> Any:
        return msgspec.structs.replace(await info(self, *which, **more), cluster=cut_off)

    monkeypatch.setattr(JetStream, "info", alone)
    assert [event.version for event in three.read_stream("order-1", after_version=1)] == [2, 3]
    assert doubts == []  # nobody was behind
    hidden(2)
    assert [event.version for event in three.read_stream("order-1", after_version=1)] == [2, 3]
    assert doubts == ["doubt"] * 2
