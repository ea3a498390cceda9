"""Two more who follow the feed through every failover, beside `faults.load.Reader`: by asyncpg, and durably."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mink_benchmarks.faults.load import PAUSE
from mink_core import MinkError, StorageError
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore

if TYPE_CHECKING:
    from uuid import UUID

    from mink_benchmarks.faults.ledger import Ledger
    from mink_core import StoredEvent
    from mink_core.runtime.worker import SubscriptionWorker


class AsyncReader:
    """A subscription by asyncpg."""

    name = "asyncpg"

    def __init__(self, url: str, ledger: Ledger) -> None:
        """Open nothing yet."""
        self._url = url
        self._ledger = ledger
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True)
        self.given: list[UUID] = []
        self.positions: list[int] = []

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    async def _follow(self) -> None:
        async with AsyncPostgresEventStore(self._url, driver="asyncpg", min_size=1, max_size=2) as store:
            ending = asyncio.create_task(self._close_at_the_end(store))
            subscription = store.subscribe(poll_interval=0.01)
            while not self._end.is_set():
                try:
                    async for batch in subscription:
                        self.given += [event.event_id for event in batch]
                        self.positions += [event.global_position for event in batch]
                except StorageError:
                    await asyncio.sleep(PAUSE)
                except MinkError as error:
                    self._ledger.surprise(f"the reader by asyncpg was refused: {error}")
                    break
            await ending

    async def _close_at_the_end(self, store: AsyncPostgresEventStore) -> None:
        await asyncio.to_thread(self._end.wait)
        await store.close()

    def catch_up(self, count: int, seconds: float) -> None:
        """Wait until it was given so many events, then end it."""
        _wait_for(self.given, count, seconds)
        self._end.set()
        self._thread.join(10)


class DurableReader:
    """A durable subscription: at least once, in order."""

    name = "durable"

    def __init__(self, url: str, ledger: Ledger) -> None:
        """Open nothing yet."""
        self._store = PostgresEventStore(url, min_size=1, max_size=3, pool_timeout=2.0)
        self._ledger = ledger
        self._worker: SubscriptionWorker | None = None
        self.given: list[UUID] = []
        """Each event once, in the order in which it first came."""
        self.positions: list[int] = []
        self._seen: set[UUID] = set()
        self.repeated = 0

    def start(self) -> None:
        """Begin to follow."""
        self._store.__enter__()
        self._worker = self._store.subscription("failover", self._handle, poll_interval=0.01, lease_seconds=5.0)
        self._worker.start()

    def _handle(self, event: StoredEvent) -> None:
        if event.event_id in self._seen:
            self.repeated += 1
            return
        self._seen.add(event.event_id)
        self.given.append(event.event_id)
        self.positions.append(event.global_position)

    def catch_up(self, count: int, seconds: float) -> None:
        """Wait until it was given so many events, then end it."""
        _wait_for(self.given, count, seconds)
        # What ended it is told by what it lacks.
        with suppress(MinkError):
            self._store.close()


def _wait_for(given: list[UUID], count: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while len(given) < count and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)  # nothing may come beside them
