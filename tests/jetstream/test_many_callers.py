"""Many callers at once: the batches they share, and each one's own answer and time."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore
from mink_jetstream.jetstream import JetStream
from mink_jetstream.requests import Request
from tests.jetstream.made import events

ANY = ExpectedVersion.ANY


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
