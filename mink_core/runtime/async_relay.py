"""`OutboxRelay` for asyncio."""

from __future__ import annotations

import asyncio
import logging
import time
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from mink_core.cancelled import failure_of
from mink_core.errors import StorageError, StoreClosedError
from mink_core.publishers.base import PublishError
from mink_core.runtime.relaying import PURGE_EVERY, SETTLE_AGAIN, Batch, RelayCounts, RelayOptions
from mink_core.runtime.task_waiting import wait_until_set
from mink_core.unawaited import check_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.outbox import ClaimedMessage
    from mink_core.publishers.base import AsyncPublisher
    from mink_core.substores import AsyncHasSubStores

_log = logging.getLogger("mink.relay")


class AsyncOutboxRelay:
    """See `OutboxRelay`. Cancelling `run` leaves what was claimed to the end of its lease; `stop` is gentler."""

    def __init__(self, store: AsyncHasSubStores, publisher: AsyncPublisher, **options: Any) -> None:
        """Claim nothing yet.

        Args:
            store: Whose outbox.
            publisher: Where to.
            options: The fields of `RelayOptions`.

        Raises:
            UsageError: An option is wrong, or the publisher's `publish` has a yield.
            CapabilityNotSupportedError: The store has no outbox.
        """
        check_runs(publisher.publish, "an AsyncOutboxRelay's publisher")
        self._outbox = store.outbox
        self._publisher = publisher
        self._options = RelayOptions(**options).checked()
        self._stopping = asyncio.Event()
        self._purged_at = time.monotonic()
        self.counts = RelayCounts()
        """What was done so far."""

    def stop(self) -> None:
        """End `run` soon: what is being published is finished and acknowledged, the rest is given back."""
        self._stopping.set()

    async def run(self) -> None:
        """Relay until `stop` is called or the store is closed. A storage failure is logged, and tried again."""
        failures = 0
        while not self._stopping.is_set():
            try:
                busy = await self.run_once()
                failures = 0
            except StoreClosedError:
                return
            except StorageError as error:
                failures += 1
                wait = self._options.backoff.delay(failures)
                _log.warning("the outbox cannot be reached, next try in %.1f s: %s", wait, error)
                await wait_until_set(self._stopping, wait)
                continue
            if not busy:
                await wait_until_set(self._stopping, self._options.poll_interval)

    async def run_once(self) -> int:
        """See `OutboxRelay.run_once`."""
        options = self._options
        batch = Batch(options, time.monotonic())
        messages = await self._outbox.claim(options.worker, limit=options.batch_size, lease=options.lease)
        self.counts.claimed += len(messages)
        for chunk in batch.chunks(messages):
            if batch.must_settle(chunk):
                await self._settle(batch)
            if self._stopping.is_set() or batch.is_over():
                batch.leave(chunk)
                continue
            await self._publish(batch, chunk)
        await self._settle(batch)
        await self._purge()
        return len(messages)

    async def _publish(self, batch: Batch, chunk: Sequence[ClaimedMessage]) -> None:
        try:
            outcome: Any = self._publisher.publish(chunk)
            # One made for threads has published by now: it keeps the loop, but its messages must not go out again.
            batch.judge(chunk, await outcome if isawaitable(outcome) else outcome)
        except asyncio.CancelledError as error:
            batch.judge(chunk, failure_of(error, "publisher", PublishError))
        except Exception as error:  # noqa: BLE001 -- the outcome of these messages
            batch.judge(chunk, error)

    async def _settle(self, batch: Batch) -> None:
        """Acknowledge, again and again while the lease lasts: what is published must not be published twice."""
        failures = 0
        while batch.verdicts:
            try:
                batch.settled(self.counts, await self._outbox.settle(batch.verdicts))
            except StorageError:
                failures += 1
                if batch.is_lost():
                    batch.lost(self.counts)
                    raise
                await asyncio.sleep(SETTLE_AGAIN.delay(failures))

    async def _purge(self) -> None:
        if self._options.retention is None or time.monotonic() - self._purged_at < PURGE_EVERY:
            return
        self._purged_at = time.monotonic()
        self.counts.purged += await self._outbox.purge(older_than=self._options.retention, limit=10_000)
