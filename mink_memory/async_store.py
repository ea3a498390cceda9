"""The async store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError
from mink_core.runtime.following import AsyncFollowed
from mink_core.runtime.updating import AsyncUpdating
from mink_memory.async_event_log import AsyncMemoryEventLog
from mink_memory.handle import LOCK_TIMEOUT, Clock, Handle, utc_now
from mink_memory.substores import AsyncMemorySubStores
from mink_memory.substores.privacy import AsyncMemoryPrivacy
from mink_memory.transaction import AsyncMemoryTransaction, change_async, refuse_sql, write_async
from mink_memory.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from mink_core.events import AppendResult, StoreIdentity
    from mink_core.feed_status import FeedStatus
    from mink_core.finding import Finding
    from mink_core.prepare import PreparedAppend
    from mink_core.runtime.async_subscription import AsyncPollingSubscription
    from mink_core.runtime.worker import AsyncSubscriptionWorker
    from mink_core.transforms import EventTransform
    from mink_memory.open_transaction import OpenTransaction
    from mink_memory.records import Change

T = TypeVar("T")


class AsyncMemoryEventStore(AsyncMemorySubStores, AsyncMemoryEventLog, AsyncUpdating, AsyncFollowed):
    """An event store in this process's memory; see `mink_core.AsyncStore`.

    It does not belong to an event loop: several may use it, as may threads use a sync store on the
    same name.
    """

    reads_the_newest = True
    """See `mink_core.adapter.AsyncUpdating`."""

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
        """Open a log; see `MemoryEventStore`.

        Raises:
            UsageError: An argument is wrong, or the named log was opened with another
                `unique_event_ids`.
        """
        self._handle: Handle[AsyncPollingSubscription | AsyncSubscriptionWorker] = Handle(
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

    async def initialize(self) -> None:
        """There is nothing to create."""
        self._handle.check_open()

    async def _write(self, items: list[PreparedAppend], beside: Change[None] | None = None) -> list[AppendResult]:
        results = None if beside else self._handle.log.append(items, self._handle.clock)
        if results is None:
            async with self._begun() as transaction:
                results = await write_async(self._handle, transaction, items, beside)
        return results

    async def _change(self, wanted: Change[T]) -> T:
        self._handle.check_open()
        done = self._handle.log.change(wanted, self._handle.clock)
        if done is None:
            async with self._begun() as transaction:
                return await change_async(self._handle, transaction, wanted)
        return done[0]

    @property
    def privacy(self) -> AsyncMemoryPrivacy:
        """Operations that take away what was stored; only on a store opened with `privacy=True`."""
        if Capability.PRIVACY not in self._handle.capabilities:
            raise CapabilityNotSupportedError(self.adapter_name, Capability.PRIVACY, "open the store with privacy=True")
        return AsyncMemoryPrivacy(self._change, self._handle)

    def bind(self, connection: object) -> NoReturn:  # noqa: ARG002 -- the contract's
        """Refused: there is no SQL in memory."""
        self._handle.check_open()
        refuse_sql()

    def transaction(self) -> AbstractAsyncContextManager[AsyncMemoryTransaction]:
        """See `EventStore.transaction`."""
        self._handle.check_open()
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncMemoryTransaction, None]:
        async with self._begun() as transaction:
            yield AsyncMemoryTransaction(self._handle, transaction)

    @asynccontextmanager
    async def _begun(self) -> AsyncGenerator[OpenTransaction, None]:
        task = asyncio.current_task()
        transaction = self._handle.begin(f"task {task.get_name() if task else 'unknown'}")
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

    def _watch(self, worker: AsyncPollingSubscription | AsyncSubscriptionWorker) -> None:
        self._handle.add_subscription(worker)

    async def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        self._handle.check_open()
        return self._handle.log.identity()

    async def bump_epoch(self) -> StoreIdentity:
        """See `MemoryEventStore.bump_epoch`."""
        self._handle.check_open()
        return self._handle.log.bump_epoch()

    async def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        self._handle.check_open()
        return self._handle.log.feed_status()

    async def check(self) -> list[Finding]:
        """See `MemoryEventStore.check`."""
        self._handle.check_open()
        return []

    async def ping(self) -> None:
        """See `EventStore.ping`."""
        self._handle.check_open()

    async def close(self) -> None:
        """See `MemoryEventStore.close`."""
        for subscription in self._handle.close():
            subscription.stop()

    async def __aenter__(self) -> Self:
        self._handle.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


if TYPE_CHECKING:
    from mink_core import AsyncStore, AsyncTransaction

    _store: AsyncStore = AsyncMemoryEventStore()
    _transaction: AbstractAsyncContextManager[AsyncTransaction] = AsyncMemoryEventStore().transaction()
