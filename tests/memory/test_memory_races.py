import asyncio
import sys
import threading

import pytest
from memory_helpers import rolled_back

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

THREADS = 32


@pytest.fixture(autouse=True)
def _frequent_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def _race(work):
    errors = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert errors == []


def test_one_exact_expectation_has_one_winner_in_each_of_1000_rounds():
    store = MemoryEventStore()
    rounds = 1000
    barrier = threading.Barrier(THREADS)
    wins = [[] for _ in range(rounds)]
    actuals = [set() for _ in range(rounds)]

    def work(number):
        for version in range(rounds):
            barrier.wait(60)
            try:
                result = store.append("s", [NewEvent("T", number)], expected_version=version)
            except ConcurrencyError as conflict:
                actuals[version].add(conflict.actual)
            else:
                assert result.first_version == version + 1
                wins[version].append(number)

    _race(work)
    assert [len(winners) for winners in wins] == [1] * rounds
    assert actuals == [{version + 1} for version in range(rounds)]
    assert [event.data for event in store.read_stream("s")] == [winner for (winner,) in wins]
    assert len({winner for (winner,) in wins}) > 1


def test_any_racing_to_create_never_conflicts():
    store = MemoryEventStore()
    barrier = threading.Barrier(THREADS)

    def work(number):
        for stream in range(50):
            barrier.wait(60)
            if number % 4:
                store.append(f"s-{stream}", [NewEvent("T", None)] * 1, expected_version=ExpectedVersion.ANY)
            else:
                with store.transaction() as transaction:
                    transaction.append(f"s-{stream}", [NewEvent("T", None)], expected_version=ExpectedVersion.ANY)

    _race(work)
    for stream in range(50):
        assert [event.version for event in store.read_stream(f"s-{stream}")] == list(range(1, THREADS + 1))
    feed = list(store.read_all())
    assert [event.global_position for event in feed] == list(range(1, 50 * THREADS + 1))


def test_a_follower_of_the_feed_misses_nothing_while_transactions_overlap():
    store = MemoryEventStore()
    done = threading.Event()
    seen = []

    def follow():
        after = 0
        while True:
            last = done.is_set()
            page = store.poll(after, limit=7)
            assert page.next_position >= after
            seen.extend(event.global_position for event in page.events)
            after = page.next_position
            if last and not page.events:
                return

    follower = threading.Thread(target=follow)
    follower.start()

    def work(number):
        for turn in range(30):
            if turn % 3:
                store.append(f"s-{number}", [NewEvent("T", None)], expected_version=ExpectedVersion.ANY)
                continue
            with rolled_back(store) if turn % 2 else store.transaction() as transaction:
                transaction.append(f"t-{number}", [NewEvent("T", None)], expected_version=ExpectedVersion.ANY)
                store.append(f"s-{number}", [NewEvent("T", None)], expected_version=ExpectedVersion.ANY)

    _race(work)
    done.set()
    follower.join(60)
    assert not follower.is_alive()
    assert seen == [event.global_position for event in store.read_all()]
    assert len(seen) == THREADS * (20 + 10 + 5)
    assert store.feed_status().holders == ()


def test_tasks_racing_for_one_exact_expectation_have_one_winner():
    async def main():
        store = AsyncMemoryEventStore()
        outcomes = await asyncio.gather(
            *(store.append("s", [NewEvent("T", number)], expected_version=0) for number in range(THREADS)),
            return_exceptions=True,
        )
        conflicts = [outcome for outcome in outcomes if isinstance(outcome, ConcurrencyError)]
        assert len(conflicts) == THREADS - 1
        assert {conflict.actual for conflict in conflicts} == {1}

    asyncio.run(main())
