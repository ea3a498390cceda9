"""Ctrl-C at every moment between a connection's being taken and its being given back: none is lost, and no turn to get one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent
from mink_postgres import PostgresEventStore
from mink_postgres.backends.thread_leases import ThreadLeases
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY
KEPT = 2
PARTS = ("ahead.py", "apart.py", "psycopg_sent.py", "psycopg_sync.py", "thread_leases.py")
"""Of a long read: it has a moment for each event as well."""


class Pool:
    """Lends numbers; whatever it is told in the main thread could be cut in two."""

    def __init__(self) -> None:
        self.lent: set[int] = set()
        self.dirty: set[int] = set()
        self.free = threading.Semaphore(5)
        self.asked = threading.Event()
        self.leases = ThreadLeases(self.take, self.give, lambda connection: connection not in self.dirty, kept=KEPT)

    def take(self, timeout: float | None) -> int:
        assert threading.current_thread() is not threading.main_thread()
        self.asked.set()
        assert self.free.acquire(timeout=60 if timeout is None else timeout)
        connection = next(number for number in range(100) if number not in self.lent)
        self.lent.add(connection)
        return connection

    def give(self, connection: int) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.lent.remove(connection)
        self.dirty.discard(connection)
        self.free.release()

    def use(self, work: Callable[[int], None] = lambda _: None) -> None:
        """As the store does it."""
        self.leases.lend(work)

    def fill(self, count: int) -> None:
        """Keep so many."""
        held = [[None] for _ in range(count)]
        thread = threading.Thread(target=lambda: [self.leases.acquire(one) for one in held])
        thread.start()
        thread.join(60)
        self.leases.idle += [connection for (connection,) in held if connection is not None]


def spoil(pool: Pool) -> None:
    pool.use(pool.dirty.add)


def spoilt(pool: Pool) -> None:
    """Those that are kept are of no use any more."""
    pool.fill(KEPT)
    pool.dirty |= set(pool.leases.idle)


CASES: dict[str, tuple[Callable[[Pool], None], Callable[[Pool], None]]] = {
    "kept": (lambda pool: pool.fill(1), Pool.use),
    "none kept": (lambda _: None, Pool.use),
    "too many": (lambda pool: pool.fill(KEPT + 2), lambda pool: pool.leases.settle()),
    "dirty": (lambda pool: pool.fill(1), spoil),
    "spoilt": (spoilt, Pool.use),
    "end": (lambda pool: pool.fill(KEPT), lambda pool: pool.leases.end()),
}


def settled(what: Callable[[], bool]) -> bool:
    """Whether it comes true: another thread goes on with what was interrupted."""
    for _ in range(60_000):
        if what():
            return True
        time.sleep(0.001)
    return False


@pytest.mark.parametrize("case", CASES)
def test_no_connection_is_lost(case: str) -> None:
    prepare, act = CASES[case]
    moment = 0
    while True:
        moment += 1
        pool = Pool()
        prepare(pool)
        was_interrupted = interrupted(lambda: act(pool), moment)  # noqa: B023 -- called here
        leases = pool.leases
        assert leases._waiting == {}, moment
        # What is neither kept nor on its way to the pool is lent to nobody, once the other thread has done its part.
        assert settled(lambda: pool.lent == {*leases.idle, *leases._leaving}), moment  # noqa: B023 -- as above
        assert len(leases.idle) == len({*leases.idle}), moment
        assert not leases._lock.locked()
        for _ in range(3):
            pool.use()
        leases.settle()
        assert settled(lambda: pool.lent == {*leases.idle}), moment  # noqa: B023 -- as above
        assert len(leases.idle) <= KEPT
        assert not pool.dirty & set(leases.idle)
        if not was_interrupted:
            break
    assert moment > 5


def test_who_waits_in_the_pool_is_served() -> None:
    """Whatever moment of the release it is that is interrupted."""
    moment = 0
    while True:
        moment += 1
        pool = Pool()
        for _ in range(4):
            assert pool.free.acquire(timeout=60)
        held: list[Any] = [None]
        pool.leases.acquire(held)
        pool.asked.clear()
        got: list[int] = []
        waiter = threading.Thread(target=lambda: pool.use(got.append), daemon=True)  # noqa: B023 -- it ends below
        waiter.start()
        assert pool.asked.wait(60)
        leases = pool.leases

        def release(leases: ThreadLeases = leases, held: list[Any] = held) -> None:
            try:
                len(held)  # a moment that is before
            finally:
                try:
                    leases.release(held)
                except BaseException:
                    leases.release(held)
                    raise

        was_interrupted = interrupted(release, moment)
        if held[0] is not None:  # it came before the block was entered
            release()
        waiter.join(30)
        assert got, moment
        assert leases._waiting == {}
        if not was_interrupted:
            break
    assert moment > 5


def test_one_that_gives_up_its_turn_passes_it_on() -> None:
    """Interrupted while the pool has none, and given one afterwards: that is kept."""
    pool = Pool()
    for _ in range(5):
        assert pool.free.acquire(timeout=60)
    threading.Timer(0.2, pool.free.release).start()

    def impatient() -> None:
        held: list[Any] = [None]
        leases = pool.leases
        try:
            leases._waiting[id(held)] = None
            leases._apart = lambda call: threading.Thread(target=call).start()
            leases._borrow(held, None, id(held))
            raise KeyboardInterrupt
        finally:
            del leases._waiting[id(held)]

    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert settled(lambda: bool(pool.leases.idle))
    assert pool.lent == {*pool.leases.idle}


def append(store: PostgresEventStore) -> None:
    store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)


def in_transaction(store: PostgresEventStore) -> None:
    with store.transaction() as transaction:
        transaction.append("a-1", [NewEvent("Made", {})], expected_version=ANY)


def rolled_back(store: PostgresEventStore) -> None:
    try:
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def read(store: PostgresEventStore) -> None:
    """Three pages, of which two come ahead of their time."""
    for _ in store.read_stream("long-1"):
        pass


@pytest.mark.parametrize("act", [append, in_transaction, rolled_back, read])
def test_a_store_goes_on_with_all_its_connections(
    postgres_url: str, schema: str, act: Callable[[PostgresEventStore], None]
) -> None:
    """And with such as are of use: one whose transaction psycopg had half taken note of would refuse all later ones."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=2, max_size=2, pool_timeout=10) as store:
        store.initialize()
        append(store)
        for _ in range(3):
            store.append("long-1", [NewEvent("Made", n) for n in range(450)], expected_version=ANY)
        moment = 0
        while True:
            moment += 1
            beginning = (lambda name: name.endswith(PARTS)) if act is read else None
            try:
                was_interrupted = interrupted(lambda: act(store), moment, beginning=beginning)
            except RuntimeError:  # `threading.Thread.start` was interrupted
                was_interrupted = True
            assert settled(lambda: store.pool_status()["used"] == 0), moment
            in_transaction(store)
            if not was_interrupted:
                break
        assert moment > 50
        assert store._grouping is not None
        assert store._grouping._planner.direct == 0, "appends by themselves that have ended"
        assert settled(lambda: "mink-read-ahead" not in [thread.name for thread in threading.enumerate()])
