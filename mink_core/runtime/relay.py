"""Publishes the outbox's messages: claim, publish, acknowledge, until stopped."""

from __future__ import annotations

import logging
import time
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from mink_core.cancelled import failure_of
from mink_core.errors import StorageError, StoreClosedError
from mink_core.publishers.base import PublishError
from mink_core.runtime.bell import Bell
from mink_core.runtime.relaying import PURGE_EVERY, SETTLE_AGAIN, Batch, RelayCounts, RelayOptions
from mink_core.unawaited import check_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.outbox import ClaimedMessage
    from mink_core.publishers.base import Publisher
    from mink_core.substores import HasSubStores

_log = logging.getLogger("mink.relay")


class OutboxRelay:
    """Publishes messages at least once (OUTBOX-02 to OUTBOX-05). Any number of them may run at once.

    Example:
        ```python
        relay = OutboxRelay(store, CallablePublisher(send), retention=7 * 86_400)
        relay.run()  # until relay.stop(), from a signal handler or another thread
        ```
    """

    def __init__(self, store: HasSubStores, publisher: Publisher, **options: Any) -> None:
        """Claim nothing yet.

        Args:
            store: Whose outbox.
            publisher: Where to.
            options: The fields of `RelayOptions`.

        Raises:
            UsageError: An option is wrong, or the publisher is one for `AsyncOutboxRelay`.
            CapabilityNotSupportedError: The store has no outbox.
        """
        check_plain(publisher.publish, "an OutboxRelay's publisher")
        self._outbox = store.outbox
        self._publisher = publisher
        self._options = RelayOptions(**options).checked()
        self._stopping = Bell()
        self._purged_at = time.monotonic()
        self.counts = RelayCounts()
        """What was done so far."""

    def stop(self) -> None:
        """End `run` soon: what is being published is finished and acknowledged, the rest is given back."""
        self._stopping.set()

    def run(self) -> None:
        """Relay until `stop` is called or the store is closed. A storage failure is logged, and tried again."""
        failures = 0
        while not self._stopping.is_set():
            try:
                busy = self.run_once()
                failures = 0
            except StoreClosedError:
                return
            except StorageError as error:
                failures += 1
                wait = self._options.backoff.delay(failures)
                _log.warning("the outbox cannot be reached, next try in %.1f s: %s", wait, error)
                self._stopping.wait(wait)
                continue
            if not busy:
                self._stopping.wait(self._options.poll_interval)

    def run_once(self) -> int:
        """Claim once, publish what was claimed, acknowledge it.

        Returns:
            How many messages were claimed; 0 when none was due.

        Raises:
            StorageError: The storage failed. What was published and could not be acknowledged is
                published again when its lease has passed.
        """
        options = self._options
        batch = Batch(options, time.monotonic())
        messages = self._outbox.claim(options.worker, limit=options.batch_size, lease=options.lease)
        self.counts.claimed += len(messages)
        for chunk in batch.chunks(messages):
            if batch.must_settle(chunk):
                self._settle(batch)
            if self._stopping.is_set() or batch.is_over():
                batch.leave(chunk)
                continue
            self._publish(batch, chunk)
        self._settle(batch)
        self._purge()
        return len(messages)

    def _publish(self, batch: Batch, chunk: Sequence[ClaimedMessage]) -> None:
        try:
            batch.judge(chunk, self._publisher.publish(chunk))
        except CancelledError as error:
            batch.judge(chunk, failure_of(error, "publisher", PublishError))
        except Exception as error:  # noqa: BLE001 -- the outcome of these messages
            batch.judge(chunk, error)

    def _settle(self, batch: Batch) -> None:
        """Acknowledge, again and again while the lease lasts: what is published must not be published twice."""
        failures = 0
        while batch.verdicts:
            try:
                batch.settled(self.counts, self._outbox.settle(batch.verdicts))
            except StorageError:
                failures += 1
                if batch.is_lost():
                    batch.lost(self.counts)
                    raise
                time.sleep(SETTLE_AGAIN.delay(failures))

    def _purge(self) -> None:
        if self._options.retention is None or time.monotonic() - self._purged_at < PURGE_EVERY:
            return
        self._purged_at = time.monotonic()
        self.counts.purged += self._outbox.purge(older_than=self._options.retention, limit=10_000)
