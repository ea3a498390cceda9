"""Appends and imports whose replies or messages are lost: stored once, or told to be unknown."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from uuid import uuid4

import pytest

from mink_core import ExpectedVersion, MinkError, OutcomeUnknownError, SchemaError, StorageError, StreamAppend
from mink_core.registry import open_administration
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.answers import RefusedError
from mink_jetstream.jetstream import NO_STREAM, JetStream
from mink_jetstream.reading import Reading
from mink_jetstream.requester import Requester
from mink_jetstream.requests import Request, UnansweredError
from tests.jetstream.made import events

ANY = ExpectedVersion.ANY


class Losing:
    """A connection that loses replies, messages, or time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._batch = Requester.batch
        self.ways: list[str] = []
        self.late: list[asyncio.Task[object]] = []
        self.held: list[Request] = []
        monkeypatch.setattr(Requester, "batch", self._wrapped())

    def _wrapped(self):
        async def batch(requester, requests, deadline):
            is_write = not requests[0].subject.startswith("$JS.API")
            way = self.ways.pop(0) if is_write and self.ways else None
            if is_write and self.held:  # it arrives just before what is sent in its place
                held, self.held = self.held, []
                await self._batch(requester, held, deadline)
            if way == "held":
                self.held = [Request(it.subject, it.payload, dict(it.headers)) for it in requests]
            if way == "reply":
                await self._batch(requester, requests, deadline)
            if way == "late":  # what a cut has held up arrives after all
                copies = [Request(it.subject, it.payload, dict(it.headers)) for it in requests]
                self.late.append(asyncio.create_task(self._later(requester, copies, deadline)))
            if way is not None:
                raise UnansweredError("no reply came in time")
            return await self._batch(requester, requests, deadline)

        return batch

    async def _later(self, requester, requests, deadline):
        await asyncio.sleep(0.1)
        with suppress(MinkError, UnansweredError):  # the store may be closed by then
            await self._batch(requester, requests, deadline)


@pytest.mark.parametrize(
    "ways",
    [
        ["reply"],
        ["message"],
        ["late"],
        ["message", "reply"],
        ["late", "message", "reply"],
        ["held"],
        ["message", "held", "message"],
    ],
)
def test_an_append_whose_reply_is_lost_is_found_or_sent_again(url, monkeypatch, ways):
    """Whatever is lost, it is stored once and told where, under every expectation and for several streams."""

    async def run() -> None:
        async with AsyncJetStreamEventStore(url) as store:
            await store.initialize()
            losing = Losing(monkeypatch)
            for number, expected in enumerate((0, ANY, 4, ExpectedVersion.STREAM_EXISTS)):
                losing.ways = list(ways)
                result = await store.append("order-1", events(2), expected_version=expected)
                assert losing.ways == []
                await asyncio.gather(*losing.late, return_exceptions=True)
                losing.late.clear()
                stored = [event async for event in store.read_stream("order-1", after_version=2 * number)]
                assert [event.event_id for event in stored] == list(result.event_ids)
                assert (result.first_position, result.last_position) == tuple(it.global_position for it in stored)
            losing.ways = list(ways)
            items = [StreamAppend(f"cart-{n % 2}", events(), ANY) for n in range(4)]
            results = await store.append_batch(items)
            await asyncio.gather(*losing.late, return_exceptions=True)
            feed = [event async for event in store.read_all(after_position=8)]
            assert [event.event_id for event in feed] == [result.event_ids[0] for result in results]
            assert [event.global_position for event in feed] == [result.first_position for result in results]

    asyncio.run(run())


def test_an_append_without_a_reply_is_unknown_in_time(url, monkeypatch):
    with JetStreamEventStore(url) as store:
        store.initialize()
    with JetStreamEventStore(url, timeout=0.5) as store:
        losing = Losing(monkeypatch)
        for expected in (0, ANY):
            losing.ways = ["message"] * 1000
            began = time.monotonic()
            with pytest.raises(OutcomeUnknownError) as told:
                store.append("order-1", events(), expected_version=expected)
            assert told.value.retry_is_safe == (expected == 0)
            assert time.monotonic() - began < 20


@pytest.mark.parametrize("way", ["reply", "message", "late"])
def test_an_import_whose_reply_is_lost_goes_on(store, url, nats_url, monkeypatch, way):
    store.append("order-1", events(3), expected_version=0)
    source, losing = list(store.read_all()), Losing(monkeypatch)
    with open_administration(f"{nats_url}/copy_{uuid4().hex[:8]}") as target:
        target.migrate()
        losing.ways = [way]
        assert target.import_events(source[:2]) == 2
        losing.ways = [way]
        assert target.import_events(source) == 1
        assert target.import_events(source) == 0
        assert target.statistics().events == 3


@pytest.mark.parametrize("code", [10047, NO_STREAM])
def test_what_is_refused_after_a_lost_reply_is_unknown(url, nats_url, monkeypatch, code):
    """The refusal is of the second try; what became of the first, it does not say."""
    write, lost = JetStream.write, []

    async def refusing(self, requests, *limits):
        if lost:
            raise RefusedError(code, "no storage left, or no such stream")
        lost.append(True)
        return await write(self, requests, *limits)

    with JetStreamEventStore(url) as store, open_administration(f"{nats_url}/copy_{uuid4().hex[:8]}") as target:
        store.initialize()
        target.migrate()
        store.append("order-1", events(), expected_version=0)
        source = list(store.read_all())
        losing = Losing(monkeypatch)
        monkeypatch.setattr(JetStream, "write", refusing)
        losing.ways = ["message"]
        with pytest.raises(OutcomeUnknownError) as told:
            store.append("order-1", events(), expected_version=1)
        assert told.value.retry_is_safe
        with pytest.raises(SchemaError if code == NO_STREAM else StorageError, match="nothing was done") as refused:
            store.append("order-1", events(), expected_version=ANY)
        assert not isinstance(refused.value, OutcomeUnknownError)
        lost.clear()
        losing.ways = ["message"]
        with pytest.raises(OutcomeUnknownError, match="import"):
            target.import_events(source)


def test_an_append_whose_store_is_closed_before_it_knows_its_outcome_says_so(url, monkeypatch):
    tail = Reading.tail

    async def run() -> None:
        store = AsyncJetStreamEventStore(url)
        await store.initialize()

        async def closing(reading: Reading, stream_id: str) -> object:
            await store.close()
            return await tail(reading, stream_id)

        with monkeypatch.context() as patch:
            Losing(patch).ways = ["reply"]
            patch.setattr(Reading, "tail", closing)
            with pytest.raises(OutcomeUnknownError):
                await store.append("order-1", events(), expected_version=0)
        async with AsyncJetStreamEventStore(url) as other:
            assert (await other.stream_info("order-1")).version == 1

    asyncio.run(run())
