"""Reads: versions found without an index, what is lost or refused on its way, and what others write."""

from __future__ import annotations

import asyncio
import time

import msgspec
import nats
import pytest
from nats.aio.client import Client

from mink_core import Direction, EventFilter, ExpectedVersion, NewEvent, StorageError, StreamAppend
from mink_jetstream import JetStreamEventStore
from mink_jetstream.place import Place
from mink_jetstream.reading import PAGE, Reading
from mink_jetstream.requester import Requester
from mink_jetstream.requests import Gathered, Request

ANY = ExpectedVersion.ANY
DOWN = Direction.BACKWARD


def fill(store: JetStreamEventStore, calls: int) -> None:
    """A stream that grows unevenly between the events of another."""
    for number in range(calls):
        noise = [NewEvent("Noted", n) for n in range(1 + 300 * (number % 3))]
        store.append_batch(
            [
                StreamAppend("noise-1", noise, ANY),
                StreamAppend("order-1", [NewEvent("Placed", n) for n in range(200)], ANY),
            ]
        )


def test_a_version_is_found_in_a_few_requests(store, monkeypatch):
    fill(store, 12)  # 2,400 events of the stream among 3,612 others
    page, asked = Reading.page, []

    async def counting(self, subject, sequence, size):
        asked.append(size)
        return await page(self, subject, sequence, size)

    monkeypatch.setattr(Reading, "page", counting)
    for after in (0, 1, PAGE, PAGE + 1, 1234, 1999, 2395):
        asked.clear()
        found = [event.version for event in store.read_stream("order-1", after_version=after, limit=4)]
        assert found == list(range(after + 1, after + 5))
        assert len(asked) <= 12, after
    backwards = store.read_stream("order-1", after_version=700, limit=1100, direction=DOWN)
    assert [event.version for event in backwards] == list(range(2400, 1300, -1))
    assert [event.version for event in store.read_stream("order-1", direction=DOWN)] == list(range(2400, 0, -1))


def test_a_page_that_lost_a_message_on_its_way_is_read_again(store, monkeypatch):
    """Servers drop what a slow route does not take; the status comes all the same."""
    store.append("order-1", [NewEvent("Placed", n) for n in range(9)], expected_version=0)
    gather, lost = Requester.gather, []

    async def losing(self, request, deadline):
        messages, end = await gather(self, request, deadline)
        if lost:
            del messages[lost.pop()]
        return Gathered(messages, end)

    monkeypatch.setattr(Requester, "gather", losing)
    for index in (0, 4, 8):
        for read in (store.read_all, lambda: store.read_stream("order-1")):
            lost.append(index)
            assert [event.version for event in read()] == list(range(1, 10))
            assert lost == []


@pytest.mark.parametrize(
    "where", [EventFilter(), EventFilter(categories=("order",)), EventFilter(stream_ids=("order-1",))]
)
def test_a_page_that_lost_all_its_messages_is_not_empty(store, monkeypatch, where):
    """A reader of a store with one copy would go on above them, and never come back."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    gather, lost = Requester.gather, []

    async def losing(self, request, deadline):
        messages, end = await gather(self, request, deadline)
        if lost:
            messages.clear()
            lost.pop()
        return Gathered(messages, end)

    monkeypatch.setattr(Requester, "gather", losing)
    for read in (lambda: store.poll(0, where=where).events, lambda: list(store.read_all(where=where))):
        lost[:] = [True, True]  # the first one is asked for together with the end of the log
        assert [event.version for event in read()] == [1]
        assert lost == []
    assert store.poll(1, where=where).events == []


def test_a_read_that_nobody_heard_is_asked_again_soon(store, monkeypatch):
    """While nobody leads, a request is lost; who is chosen then is not waited for until its time is over."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    publish, lost = Client.publish, []

    async def deaf(self, subject, payload=b"", **more):
        if subject.startswith("$JS.API") and len(lost) < 3:
            lost.append(subject)
        else:
            await publish(self, subject, payload, **more)

    monkeypatch.setattr(Client, "publish", deaf)
    began = time.monotonic()
    assert store.stream_info("order-1").version == 1
    assert len(lost) == 3
    assert time.monotonic() - began < 8


def test_a_read_that_is_refused_is_no_end(store):
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    place, wanted = store._inner._place, {"seq": 1, "last_by_subj": "x", "batch": 1}
    with pytest.raises(StorageError, match="408"):
        store._portal.run(place.page(wanted))


def test_a_stream_that_comes_while_streams_are_listed_moves_none_to_be_listed_twice(store, monkeypatch):
    """A server tells 100,000 subjects at once, sorted, and the next ones from an offset."""
    for number in range(1, 6):
        store.append(f"order-{number}", [NewEvent("Placed", 1)], expected_version=0)
    info = Place.info

    async def few(self, *, subjects=None, offset=0):
        found = await info(self, subjects=subjects)
        if subjects is None:
            return found
        if offset:
            request = Request(self.subjects.of_stream("order-0"), b"", {})
            await self.jetstream.write([request], self.jetstream.deadline(), 2.0, self.stream)
            found = await info(self, subjects=subjects)
        names = dict(sorted(found.state.subjects.items())[offset : offset + 3])
        return msgspec.structs.replace(
            found, state=msgspec.structs.replace(found.state, subjects=names), total=len(found.state.subjects)
        )

    monkeypatch.setattr(Place, "info", few)
    assert [it.stream_id for it in store.streams()] == [f"order-{number}" for number in range(1, 6)]


def test_what_something_else_publishes_is_told_and_not_read_over(store, url):
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)

    async def intrude() -> None:
        client = await nats.connect(url.rpartition("/")[0])
        await client.jetstream().publish(f"mink.{store.options.store}.order.1", b"{}")
        await client.close()

    asyncio.run(intrude())
    with JetStreamEventStore(url) as fresh:
        for use in (
            lambda: list(fresh.read_all()),
            lambda: fresh.append("order-1", [NewEvent("Placed", 2)], expected_version=ANY),
        ):
            with pytest.raises(StorageError, match="publishes"):
                use()
