"""Writers by two drivers, and a reader: an application that nobody restarts."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks.faults.ledger import call_of
from mink_core import ConcurrencyError, ExpectedVersion, MinkError, StorageError, StreamAppend
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mink_benchmarks.faults.ledger import Ledger
    from mink_core.runtime.subscription import PollingSubscription

PAUSE = 0.02
"""Seconds before a refused call is repeated."""
WRITERS = 3
"""Threads by psycopg, and as many tasks by asyncpg, unless told otherwise."""
STREAM = "load-"
"""What the writers' streams begin with."""
_SHARED = 6


class Load:
    """Runs from `start` to `stop`. The stores stay open all the while."""

    def __init__(
        self, writing: str, reading: str, ledger: Ledger, *, shared: bool, writers: int = WRITERS, **options: Any
    ) -> None:
        """Write through one URL and read through another.

        Args:
            writing: Where the writers connect.
            reading: Where the reader connects.
            ledger: Where acknowledgements go.
            shared: Whether writers append to several streams at once that all of them share, under
                `ANY`, rather than each to one of its own with an exact expectation.
            writers: How many threads, and as many tasks.
            options: Of the writers' stores.
        """
        self._writers = writers
        self._ledger = ledger
        self._shared = shared
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._stack = ExitStack()
        given: dict[str, Any] = {"min_size": 1, "max_size": writers, "pool_timeout": 2.0} | options
        self.store = PostgresEventStore(writing, **given)
        self._async_url, self._async_options = writing, given
        self.reader = Reader(reading, ledger)

    def start(self) -> None:
        """Open the stores and begin."""
        self._stack.enter_context(self.store)
        for number in range(self._writers):
            self._run(partial(self._write, f"{STREAM}thread-{number}"))
        self._run(lambda: asyncio.run(self._tasks()))
        self.reader.start()

    def stop(self) -> None:
        """Let every call end, and close the writers' stores; the reader goes on."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            if thread.is_alive():
                self._ledger.surprise(f"{thread.name} did not end")
        self._stack.close()

    def _run(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 -- whatever it is, a writer has died of it
                self._ledger.surprise(f"a writer died: {type(error).__name__}: {error}")

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _write(self, stream: str) -> None:
        version = 0
        while not self._stop.is_set():
            events = call_of(random.randint(1, 3))
            items = _items(events)
            while not self._stop.is_set():
                try:
                    if self._shared:
                        self.store.append_batch(items)
                    else:
                        version = self.store.append(stream, events, expected_version=version).last_version
                except MinkError as error:
                    self._refused(error)
                    time.sleep(PAUSE)
                else:
                    self._ledger.acknowledge(event.event_id for event in events)
                    break

    async def _tasks(self) -> None:
        while not self._stop.is_set():
            try:
                async with AsyncPostgresEventStore(self._async_url, driver="asyncpg", **self._async_options) as store:
                    await asyncio.gather(
                        *(self._write_async(store, f"{STREAM}task-{it}") for it in range(self._writers))
                    )
            except StorageError:
                # Only where the store cannot even be opened; from then on it is kept.
                await asyncio.sleep(PAUSE)

    async def _write_async(self, store: AsyncPostgresEventStore, stream: str) -> None:
        version = 0
        while not self._stop.is_set():
            events = call_of(random.randint(1, 3))
            items = _items(events)
            while not self._stop.is_set():
                try:
                    if self._shared:
                        await store.append_batch(items)
                    else:
                        version = (await store.append(stream, events, expected_version=version)).last_version
                except MinkError as error:
                    self._refused(error)
                    await asyncio.sleep(PAUSE)
                else:
                    self._ledger.acknowledge(event.event_id for event in events)
                    break

    def _refused(self, error: MinkError) -> None:
        self._ledger.refused(error)
        if isinstance(error, ConcurrencyError):
            # Each stream has one writer, which knows its version: a conflict means a lost or doubled call.
            self._ledger.surprise(f"a conflict: {error}")


def _items(events: list[Any]) -> list[StreamAppend]:
    """The events of a call over streams that all writers share, in any order."""
    names = random.sample(range(_SHARED), len(events))
    return [
        StreamAppend(f"{STREAM}shared-{name}", [event], ExpectedVersion.ANY)
        for name, event in zip(names, events, strict=True)
    ]


class Reader:
    """Follows the feed from its start, through every fault, and keeps what it was given."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        """Open nothing yet."""
        self._store = PostgresEventStore(url, min_size=1, max_size=2, pool_timeout=2.0)
        self._ledger = ledger
        self.given: list[UUID] = []
        self.positions: list[int] = []
        self._subscription: PollingSubscription | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._store.__enter__()
        self._subscription = self._store.subscribe(poll_interval=0.01)
        self._thread.start()

    def _follow(self) -> None:
        assert self._subscription is not None  # noqa: S101 -- made by start
        while True:
            try:
                batch = next(self._subscription)
            except StopIteration:
                return
            except StorageError:
                time.sleep(PAUSE)
                continue
            except MinkError as error:
                self._ledger.surprise(f"the reader was refused: {error}")
                return
            self.given += [event.event_id for event in batch]
            self.positions += [event.global_position for event in batch]

    def catch_up(self, count: int, seconds: float) -> None:
        """Wait until it was given so many events, then end it."""
        end = time.monotonic() + seconds
        while len(self.given) < count and time.monotonic() < end:
            time.sleep(0.01)
        # One more look: nothing may come beside them.
        time.sleep(0.05)
        self._store.close()
        self._thread.join(10)
