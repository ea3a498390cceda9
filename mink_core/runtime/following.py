"""Gives an adapter's store the `subscribe` of `Subscriber`, by polling, beside durable subscriptions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NoReturn, cast

from mink_core.errors import UsageError
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.runtime.async_subscription import AsyncPollingSubscription
from mink_core.runtime.durable import AsyncDurable, Durable
from mink_core.runtime.settings import POLL_INTERVAL
from mink_core.runtime.subscription import PollingSubscription

if TYPE_CHECKING:
    from mink_core.event_store import AsyncEventLog, EventLog
    from mink_core.events import StoreIdentity
    from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker


class _OfItsProcess:
    """What has connections, threads and locks, of which there is no second one."""

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, as for another process, and to be copied.

        Raises:
            UsageError: Always.
        """
        msg = (
            f"{type(self).__name__} cannot be pickled or copied, as what it has open is this process's; nothing was done: "
            "open a store by the same URL where it is wanted"
        )
        raise UsageError(msg)


class Followed(_OfItsProcess, Durable):
    """A store that is followed by subscriptions of either kind."""

    @abstractmethod
    def _watch(self, worker: PollingSubscription | SubscriptionWorker) -> None:
        """Note who ends with the store, and is nudged by it.

        Raises:
            StoreClosedError: The store is closed.
        """

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> PollingSubscription:
        """See `Subscriber.subscribe`."""
        subscription = PollingSubscription(
            cast("EventLog", self),
            after_position=after_position,
            where=where,
            batch_size=batch_size,
            poll_interval=poll_interval,
            identity=identity,
        )
        self._watch(subscription)
        return subscription


class AsyncFollowed(_OfItsProcess, AsyncDurable):
    """`Followed` for asyncio."""

    @abstractmethod
    def _watch(self, worker: AsyncPollingSubscription | AsyncSubscriptionWorker) -> None:
        """See `Followed`."""

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> AsyncPollingSubscription:
        """See `Subscriber.subscribe`."""
        subscription = AsyncPollingSubscription(
            cast("AsyncEventLog", self),
            after_position=after_position,
            where=where,
            batch_size=batch_size,
            poll_interval=poll_interval,
            identity=identity,
        )
        self._watch(subscription)
        return subscription
