"""The sync store."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError
from mink_core.runtime.following import Followed
from mink_core.runtime.updating import Updating
from mink_memory.event_log import MemoryEventLog
from mink_memory.handle import LOCK_TIMEOUT, Clock, Handle, utc_now
from mink_memory.substores import MemorySubStores
from mink_memory.substores.privacy import MemoryPrivacy
from mink_memory.transaction import MemoryTransaction, change, refuse_sql, write
from mink_memory.view import View

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from mink_core.events import AppendResult, StoreIdentity
    from mink_core.feed_status import FeedStatus
    from mink_core.finding import Finding
    from mink_core.prepare import PreparedAppend
    from mink_core.runtime.subscription import PollingSubscription
    from mink_core.runtime.worker import SubscriptionWorker
    from mink_core.transforms import EventTransform
    from mink_memory.open_transaction import OpenTransaction
    from mink_memory.records import Change

T = TypeVar("T")


class MemoryEventStore(MemorySubStores, MemoryEventLog, Updating, Followed):
    """An event store in this process's memory; see `mink_core.Store`. Safe to use from several threads."""

    reads_the_newest = True
    """See `mink_core.adapter.Updating`."""

    def __init__(  # noqa: PLR0913 -- the options of a store
        self,
        name: str | None = None,
        *,
        transforms: Iterable[EventTransform] = (),
        unique_event_ids: bool = False,
        lock_timeout: float = LOCK_TIMEOUT,
        clock: Clock = utc_now,
        privacy: bool = False,
    ) -> None:
        """Open a log.

        Args:
            name: Which log to share with other stores of the process, sync or async; it is kept
                until `mink_memory.forget`. None for a private one.
            transforms: What events go through on their way out and in.
            unique_event_ids: Store an event id only once (`Capability.UNIQUE_EVENT_IDS`).
            lock_timeout: Seconds that an append waits for a stream locked by a transaction.
            clock: Gives the time of appends, aware and in UTC; for tests.
            privacy: Allow `store.privacy` (`Capability.PRIVACY`).

        Raises:
            UsageError: An argument is wrong, or the named log was opened with another
                `unique_event_ids`.
        """
        self._handle: Handle[PollingSubscription | SubscriptionWorker] = Handle(
            name,
            transforms=transforms,
            unique_event_ids=unique_event_ids,
            lock_timeout=lock_timeout,
            clock=clock,
            privacy=privacy,
        )
        self._view = View(self._handle)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `EventStore.capabilities`."""
        return self._handle.capabilities

    def initialize(self) -> None:
        """There is nothing to create."""
        self._handle.check_open()

    def _write(self, items: list[PreparedAppend], beside: Change[None] | None = None) -> list[AppendResult]:
        results = None if beside else self._handle.log.append(items, self._handle.clock)
        if results is None:
            with self._begun() as transaction:
                results = write(self._handle, transaction, items, beside)
        return results

    def _change(self, wanted: Change[T]) -> T:
        self._handle.check_open()
        done = self._handle.log.change(wanted, self._handle.clock)
        if done is None:
            with self._begun() as transaction:
                return change(self._handle, transaction, wanted)
        return done[0]

    @property
    def privacy(self) -> MemoryPrivacy:
        """Operations that take away what was stored; only on a store opened with `privacy=True`."""
        if Capability.PRIVACY not in self._handle.capabilities:
            raise CapabilityNotSupportedError(self.adapter_name, Capability.PRIVACY, "open the store with privacy=True")
        return MemoryPrivacy(self._change, self._handle)

    def bind(self, connection: object) -> NoReturn:  # noqa: ARG002 -- the contract's
        """Refused: there is no SQL in memory."""
        self._handle.check_open()
        refuse_sql()

    def transaction(self) -> AbstractContextManager[MemoryTransaction]:
        """See `EventStore.transaction`."""
        self._handle.check_open()
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Generator[MemoryTransaction, None, None]:
        with self._begun() as transaction:
            yield MemoryTransaction(self._handle, transaction)

    @contextmanager
    def _begun(self) -> Generator[OpenTransaction, None, None]:
        transaction = self._handle.begin(f"thread {threading.current_thread().name}")
        try:
            yield transaction
            self._handle.commit(transaction)
        except BaseException:
            try:
                self._handle.rollback(transaction)
            except BaseException:  # interrupted itself
                self._handle.rollback(transaction)
                raise
            raise

    def _watch(self, worker: PollingSubscription | SubscriptionWorker) -> None:
        self._handle.add_subscription(worker)

    def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        self._handle.check_open()
        return self._handle.log.identity()

    def bump_epoch(self) -> StoreIdentity:
        """Begin a new epoch: readers that come with the old identity get `PositionAheadError` (FEED-08)."""
        self._handle.check_open()
        return self._handle.log.bump_epoch()

    def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        self._handle.check_open()
        return self._handle.log.feed_status()

    def check(self) -> list[Finding]:
        """See `Store.check`: nobody can write past this store, so there is nothing to find."""
        self._handle.check_open()
        return []

    def ping(self) -> None:
        """See `EventStore.ping`."""
        self._handle.check_open()

    def close(self) -> None:
        """End subscriptions, roll back open transactions. The events of a named log stay. Idempotent."""
        for subscription in self._handle.close():
            subscription.stop()

    def __enter__(self) -> Self:
        self._handle.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


if TYPE_CHECKING:
    from mink_core import Store, Transaction

    _store: Store = MemoryEventStore()
    _transaction: AbstractContextManager[Transaction] = MemoryEventStore().transaction()
