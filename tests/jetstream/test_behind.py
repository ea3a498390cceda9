"""Servers that do not show what is there: READ-06 holds whoever answers, or the call says that it does not know."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent, TransientStorageError
from mink_jetstream import JetStreamEventStore
from mink_jetstream.connection import Connection
from mink_jetstream.jetstream import JetStream
from mink_jetstream.patience import Patience
from mink_jetstream.reading import Reading
from mink_jetstream.requester import Requester
from mink_jetstream.requests import UnansweredError
from tests.jetstream.feeding import READS
from tests.jetstream.pretended import end_all_patience, pretend_lost_majority
from tests.jetstream.storing import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable


def test_patience_ends_with_the_time():
    async def run() -> list[bool]:
        now = asyncio.get_running_loop().time()
        return [await Patience(deadline).pause() for deadline in (now + 60, now, now - 1)]

    assert asyncio.run(run()) == [True, False, False]


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
    end_all_patience(monkeypatch)
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
        end_all_patience(monkeypatch)
        left[0] = FOREVER
        with pytest.raises(TransientStorageError, match="behind the stream 'order-1'"):
            list(other.streams())


def test_who_does_not_wait_reads_less(three, hidden, monkeypatch):
    """The broken twin of the ones above."""
    end_all_patience(monkeypatch)
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
    end_all_patience(monkeypatch)
    left = hidden(50)
    with pytest.raises(TransientStorageError, match="behind position 3"):
        three.subscriptions.list()
    assert left == [48]


def test_half_a_call_is_no_short_page(replicated, store, hidden, monkeypatch):
    """The rest would be hidden from who asks again until a page is empty."""
    store.append("order-1", [NewEvent("Placed", number) for number in range(3)], expected_version=0)
    end_all_patience(monkeypatch)
    hidden(FOREVER)
    with pytest.raises(TransientStorageError, match="behind position 3"):
        store.poll(0)
    assert store.poll(0, limit=1).next_position == 1


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
    pretend_lost_majority(monkeypatch)
    assert [event.version for event in three.read_stream("order-1", after_version=1)] == [2, 3]
    assert doubts == []  # nobody was behind
    hidden(2)
    assert [event.version for event in three.read_stream("order-1", after_version=1)] == [2, 3]
    assert doubts == ["doubt"] * 2
