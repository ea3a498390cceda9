"""What the conformance kit cannot see of appends: what is remembered, the server's refusals, old servers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import nats
import pytest

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    MinkError,
    NewEvent,
    OutcomeUnknownError,
    SchemaError,
    StorageError,
    StreamAppend,
    TransientStorageError,
    UsageError,
)
from mink_core.registry import open_administration
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.answers import RefusedError
from mink_jetstream.jetstream import NO_PEERS, NO_STREAM, WRONG_SEQUENCE_NOW, JetStream
from mink_jetstream.place import Place
from mink_jetstream.reading import Reading
from mink_jetstream.requests import Request, UnansweredError
from mink_jetstream.wire import Wire

ANY = ExpectedVersion.ANY


def events(count: int = 1) -> list[NewEvent]:
    return [NewEvent("Happened", number) for number in range(count)]


def versions(store: JetStreamEventStore, stream_id: str) -> list[int]:
    return [event.version for event in store.read_stream(stream_id)]


def test_a_conflict_tells_the_true_version_to_a_store_that_remembers_an_older_one(store, url):
    store.append("order-1", events(), expected_version=0)
    with JetStreamEventStore(url) as other:
        other.append("order-1", events(2), expected_version=1)
        with pytest.raises(ConcurrencyError) as told:
            store.append("order-1", events(), expected_version=1)
        assert told.value.actual == 3
        assert store.append("order-1", events(), expected_version=ANY).first_version == 4
        other.append("order-1", events(), expected_version=4)
    assert store.append("order-1", events(), expected_version=5).first_version == 6
    assert versions(store, "order-1") == list(range(1, 7))


def test_a_repeat_is_recognized_however_late(store, url):
    """Not by Nats-Msg-Id, whose window passes: the server never gets one, so any repeat is beyond it."""
    first = events(2)
    result = store.append("order-1", first, expected_version=0)
    store.append("order-1", events(5), expected_version=2)
    with JetStreamEventStore(url) as fresh:
        assert fresh.append("order-1", first, expected_version=0) == result
        with pytest.raises(ConcurrencyError):
            fresh.append("order-1", events(2), expected_version=0)
    # And as no id is kept for the whole log, the same one in another stream is another event.
    assert store.append("order-2", first, expected_version=0).first_version == 1
    assert store.head_position() == 9

    async def ids() -> list[object]:
        client = await nats.connect(url.rpartition("/")[0])
        info = json.loads((await client.request(f"$JS.API.STREAM.INFO.MINK_{store.options.store}")).data)
        found = []
        for number in range(1, info["state"]["last_seq"] + 1):
            payload = json.dumps({"seq": number}).encode()
            reply = await client.request(f"$JS.API.DIRECT.GET.MINK_{store.options.store}", payload)
            found.append(reply.headers.get("Nats-Msg-Id"))
        await client.close()
        return found

    assert asyncio.run(ids()) == [None] * 9


def test_a_refusal_while_another_append_is_decided_on_is_no_conflict(store, monkeypatch):
    """With copies, the server refuses an expectation that may be right, and the leader has the old version yet."""
    store.append("order-1", events(), expected_version=0)
    write, refused = JetStream.write, Counter()

    async def refusing(self, requests, *limits):
        if refused["times"] < 3:
            refused["times"] += 1
            raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")
        return await write(self, requests, *limits)

    monkeypatch.setattr(JetStream, "write", refusing)
    assert store.append("order-1", events(), expected_version=1).first_version == 2
    assert refused["times"] == 3


@pytest.mark.parametrize("expected", [ANY, 1])
def test_what_one_server_refuses_and_another_stores_is_stored_once(store, monkeypatch, expected):
    """In the second after a partition two servers lead: a publish reaches both, and the first reply wins."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: False, lambda place, value: None), raising=False)
    store.append("order-1", events(), expected_version=0)
    write, lied = JetStream.write, []

    async def two(self, requests, *limits):
        last = await write(self, requests, *limits)
        if not lied:
            lied.append(last)
            raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")
        return last

    monkeypatch.setattr(JetStream, "write", two)
    result = store.append("order-1", events(2), expected_version=expected)
    assert (result.first_version, result.last_position) == (2, lied[0])
    assert versions(store, "order-1") == [1, 2, 3]


def test_another_call_with_the_same_ids_is_not_taken_for_a_refused_one(store, url, monkeypatch):
    """What another store's call has stored where a refused one would stand."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: False, lambda place, value: None), raising=False)
    both = events(2)
    store.append("order-1", both, expected_version=ANY)
    with JetStreamEventStore(url) as other:
        with pytest.raises(DuplicateEventError):
            other.append("order-1", both[:1], expected_version=0)  # a part of a call is none
        assert other.append("order-1", both, expected_version=0).last_version == 2
        other.append("order-1", events(), expected_version=ANY)
        more = events()
        store.append("order-1", more, expected_version=ANY)
        assert other.append("order-1", more, expected_version=ANY).last_version == 5  # a call of its own
    assert versions(store, "order-1") == [1, 2, 3, 4, 5]


def test_what_is_refused_all_the_time_ends_in_time(url, monkeypatch):
    async def refusing(self, requests, *limits):
        raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")

    with JetStreamEventStore(url) as store:
        store.initialize()
    with JetStreamEventStore(url, timeout=0.5) as store:
        monkeypatch.setattr(JetStream, "write", refusing)
        with pytest.raises(TransientStorageError, match="nothing was stored"):
            store.append("order-1", events(), expected_version=ANY)


class Losing:
    """A connection that loses replies, messages, or time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._batch = Wire.batch
        self.ways: list[str] = []
        self.late: list[asyncio.Task[object]] = []
        self.held: list[Request] = []
        monkeypatch.setattr(Wire, "batch", self._wrapped())

    def _wrapped(self):
        async def batch(wire, requests, deadline):
            is_write = not requests[0].subject.startswith("$JS.API")
            way = self.ways.pop(0) if is_write and self.ways else None
            if is_write and self.held:  # it arrives just before what is sent in its place
                held, self.held = self.held, []
                await self._batch(wire, held, deadline)
            if way == "held":
                self.held = [Request(it.subject, it.payload, dict(it.headers)) for it in requests]
            if way == "reply":
                await self._batch(wire, requests, deadline)
            if way == "late":  # what a cut has held up arrives after all
                copies = [Request(it.subject, it.payload, dict(it.headers)) for it in requests]
                self.late.append(asyncio.create_task(self._later(wire, copies, deadline)))
            if way is not None:
                raise UnansweredError("no reply came in time")
            return await self._batch(wire, requests, deadline)

        return batch

    async def _later(self, wire, requests, deadline):
        await asyncio.sleep(0.1)
        with suppress(MinkError, UnansweredError):  # the store may be closed by then
            await self._batch(wire, requests, deadline)


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


def test_an_import_that_is_refused_all_the_time_ends_in_time(store, nats_url, monkeypatch):
    store.append("order-1", events(), expected_version=0)
    source = list(store.read_all())

    async def refusing(self, requests, *limits):
        raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")

    with open_administration(f"{nats_url}/copy_{uuid4().hex[:8]}?timeout=0.5") as target:
        target.migrate()
        monkeypatch.setattr(JetStream, "write", refusing)
        with pytest.raises(TransientStorageError, match="nothing of this batch was stored"):
            target.import_events(source)


def test_who_has_time_left_goes_on_when_a_group_ends_with_the_first_one(url, monkeypatch):
    """A group has the time of its first call: the others are sent again, alone."""
    write, failed = JetStream.write, []

    async def slow(self, requests, deadline, *more):
        if len(requests) > 1 and not failed:
            failed.append(len(requests))
            await asyncio.sleep(max(deadline - asyncio.get_running_loop().time(), 0))
            raise TransientStorageError("JetStream did not answer; nothing was done")
        return await write(self, requests, deadline, *more)

    async def run() -> list[object]:
        async with AsyncJetStreamEventStore(url, timeout=2) as store:
            await store.initialize()
            loop, grouping = asyncio.get_running_loop(), store._appending._grouping
            requests = [Request(store._place.subjects.of_stream(f"a-{n}"), b"{}", {}) for n in range(40)]
            monkeypatch.setattr(JetStream, "write", slow)
            grouping._alone = 1000  # all of them wait for a group
            calls = [
                grouping.write([request], loop.time() + (0.3 if number == 7 else 30), 2.0)
                for number, request in enumerate(requests)
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

    told = asyncio.run(run())
    assert failed == [40]
    assert isinstance(told.pop(7), TransientStorageError)
    assert all(isinstance(sequence, int) for sequence in told)


def test_who_waits_for_a_stream_that_was_just_freed_waits_no_longer_than_told(url):
    """The lock is free at that moment, and has been promised to somebody else."""

    async def run() -> None:
        async with AsyncJetStreamEventStore(url) as store:
            await store.initialize()
            appending, loop = store._appending, asyncio.get_running_loop()
            freed, done = asyncio.Event(), asyncio.Event()

            async def hold(until: asyncio.Event) -> None:
                async with appending._alone({"order-1"}, loop.time() + 30):
                    await until.wait()

            first = asyncio.create_task(hold(freed))
            await asyncio.sleep(0)
            second = asyncio.create_task(hold(done))
            await asyncio.sleep(0)
            freed.set()
            lock = appending._locks["order-1"][0]
            while lock.locked():  # noqa: ASYNC110 -- in this very turn of the loop
                await asyncio.sleep(0)
            with pytest.raises(TransientStorageError):
                async with asyncio.timeout(60), appending._alone({"order-1"}, loop.time() + 0.1):
                    pass
            done.set()
            await asyncio.gather(first, second)
            assert not appending._locks

    asyncio.run(run())


def test_limits_are_told_and_refused_up_front(store, monkeypatch):
    assert store.limits.call_events == 1000
    with pytest.raises(UsageError, match="1000"):
        store.append_batch([StreamAppend(f"a-{n}", events(501), ANY) for n in range(2)])
    monkeypatch.setattr(Wire, "max_payload", property(lambda wire: 100_000))  # the server's own is above the contract's
    most = store.limits.event_bytes
    with pytest.raises(UsageError, match=str(most)):
        store.append("a-1", [NewEvent("Happened", "x" * (most - 8), {"k": "x" * 8})], expected_version=ANY)
    assert store.head_position() == 0


@pytest.fixture
def written(monkeypatch) -> list[int]:
    """How many messages went out together, each time."""
    write, sizes = JetStream.write, []

    async def counting(self, requests, *limits):
        sizes.append(len(requests))
        return await write(self, requests, *limits)

    monkeypatch.setattr(JetStream, "write", counting)
    return sizes


def test_many_callers_share_batches_and_one_goes_alone(url, written):
    async def run() -> list[tuple[str, int]]:
        async with AsyncJetStreamEventStore(url) as store:
            await store.initialize()
            await store.append("alone-1", events(), expected_version=0)
            assert written == [1]

            async def caller(number: int) -> None:
                for version in range(0, 9, 3):
                    result = await store.append(f"order-{number}", events(3), expected_version=version)
                    stored = [event async for event in store.read_stream(f"order-{number}", after_version=version)]
                    assert [event.version for event in stored] == list(range(version + 1, version + 4))
                    assert result.first_position == stored[0].global_position
                    assert result.last_position == stored[-1].global_position

            await asyncio.gather(*[caller(number) for number in range(80)])
            return [(event.stream_id, event.version) async for event in store.read_all(after_position=1)]

    assert Counter(asyncio.run(run())) == Counter((f"order-{n}", v) for n in range(80) for v in range(1, 10))
    assert max(written) > 3 * 16  # more than a caller's own three events, of more callers than go alone


def test_who_is_refused_in_a_group_is_refused_alone(url, written):
    async def run() -> list[object]:
        async with AsyncJetStreamEventStore(url) as store, AsyncJetStreamEventStore(url) as other:
            await store.initialize()
            calls = [store.append(f"order-{n}", events(), expected_version=0) for n in range(60)]
            await asyncio.gather(*calls)
            for n in (7, 50):  # what the store remembers of these is old now
                await other.append(f"order-{n}", events(2), expected_version=1)
            calls = [store.append(f"order-{n}", events(), expected_version=1) for n in range(60)]
            return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(run())
    refused = {n: result.actual for n, result in enumerate(results) if isinstance(result, ConcurrencyError)}
    assert refused == {7: 3, 50: 3}
    assert all(result.last_version == 2 for n, result in enumerate(results) if n not in refused)
    assert max(written) >= 16


def test_a_cancelled_caller_takes_nobody_along(url, written):
    async def run() -> Counter[str]:
        async with AsyncJetStreamEventStore(url) as store:
            await store.initialize()
            tasks = [asyncio.create_task(store.append(f"order-{n}", events(), expected_version=0)) for n in range(60)]
            await asyncio.sleep(0)
            for task in tasks[40:50]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes) == 10
            again = [await store.append(f"order-{n}", events(), expected_version=ANY) for n in range(40, 50)]
            assert {result.last_version for result in again} <= {1, 2}
            return Counter([event.stream_id async for event in store.read_all()])

    counts = asyncio.run(run())
    assert all(counts[f"order-{n}"] == 1 for n in (*range(40), *range(50, 60)))


def test_a_hot_stream_takes_every_append_of_many_callers(url):
    async def run() -> list[int]:
        async with AsyncJetStreamEventStore(url) as one, AsyncJetStreamEventStore(url) as two:
            await one.initialize()
            await asyncio.gather(
                *[(one, two)[n % 2].append("hot-1", events(), expected_version=ANY) for n in range(60)]
            )
            return [event.version async for event in one.read_stream("hot-1")]

    assert asyncio.run(run()) == list(range(1, 61))


def test_a_store_is_made_once_there_are_servers_enough(url, monkeypatch):
    manage, refused = JetStream.manage, []

    async def few(self, verb, stream, wanted=None):
        if verb == "CREATE" and len(refused) < 2:
            refused.append(stream)
            raise RefusedError(NO_PEERS, "no suitable peers for placement, peer offline")
        await manage(self, verb, stream, wanted)

    monkeypatch.setattr(JetStream, "manage", few)
    with JetStreamEventStore(url) as store:
        store.initialize()
        assert store.append("order-1", events(), expected_version=0).last_version == 1
    assert len(refused) == 2
    refused.clear()
    monkeypatch.setattr("mink_jetstream.place._PEERS", 60.0)
    with (
        JetStreamEventStore(f"{url}_more", timeout=5) as store,
        pytest.raises(StorageError, match=r"1 copies.*nothing was made"),
    ):
        store.initialize()


def test_a_store_that_is_not_there_is_told_at_once(url):
    with JetStreamEventStore(url) as store:
        for use in (
            lambda: store.append("a-1", events(), expected_version=0),
            store.head_position,
            lambda: list(store.read_all()),
        ):
            with pytest.raises(SchemaError, match="initialize"):
                use()


@pytest.mark.parametrize("version", ["2.11.9", "2.12.2"])
def test_an_old_server_is_refused(version):
    """The one passes over the headers of a batch, and stores what must be refused; the other may store a part of it."""

    async def serve(reader, writer):
        info = {
            "server_id": "X",
            "version": version,
            "proto": 1,
            "headers": True,
            "max_payload": 1 << 20,
            "jetstream": True,
        }
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = AsyncJetStreamEventStore(f"nats://127.0.0.1:{port}/shop", timeout=30)
        try:
            with pytest.raises(StorageError, match=rf"{re.escape(version)}.*2\.12\.3"):
                await store.initialize()
        finally:
            await store.close()
            server.close()

    asyncio.run(run())


def test_no_server_is_told_in_time():
    store = JetStreamEventStore("nats://127.0.0.1:1/shop", timeout=0.5)
    with pytest.raises(TransientStorageError, match=r"127\.0\.0\.1:1"):
        store.ping()
    store.close()
