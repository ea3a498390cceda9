"""Following the feed: what a store has beyond the log, and which subscriptions and workers end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from mink_core.runtime.following import AsyncFollowed, Followed
from mink_postgres.async_log import AsyncLog
from mink_postgres.programs import feed
from mink_postgres.sync_log import SyncLog

if TYPE_CHECKING:
    import threading

    from mink_core.events import StoreIdentity
    from mink_core.feed_status import FeedStatus
    from mink_core.runtime.async_subscription import AsyncPollingSubscription
    from mink_core.runtime.subscription import PollingSubscription
    from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker
    from mink_postgres.wakeups import Wakeups


class Following(SyncLog, Followed):
    """Implements what `mink_core.Subscriber` adds to the log, for threads."""

    _lock: threading.Lock
    _wakeups: Wakeups | None

    def __init__(self) -> None:
        """Be followed by nobody yet."""
        self._followers: WeakSet[PollingSubscription | SubscriptionWorker] = WeakSet()

    def _watch(self, worker: PollingSubscription | SubscriptionWorker) -> None:
        self._check_open()
        with self._lock:
            self._followers.add(worker)
        if self._wakeups is not None:
            self._wakeups.add(worker)

    def _appended(self) -> None:
        if self._wakeups is not None:
            self._wakeups.appended()

    def identity(self) -> StoreIdentity:
        """See `mink_core.Subscriber.identity`."""
        return self._run(feed.identity(self._context))

    def feed_status(self) -> FeedStatus:
        """See `mink_core.Subscriber.feed_status`."""
        return self._run_whole(feed.feed_status(self._context))

    def bump_epoch(self) -> StoreIdentity:
        """Tell every reader that kept the old epoch that the history may have lost its end (FEED-08)."""
        return self._run(feed.bump_epoch(self._context))


class AsyncFollowing(AsyncLog, AsyncFollowed):
    """`Following` for asyncio."""

    _wakeups: Wakeups | None

    def __init__(self) -> None:
        """Be followed by nobody yet."""
        self._followers: WeakSet[AsyncPollingSubscription | AsyncSubscriptionWorker] = WeakSet()

    def _watch(self, worker: AsyncPollingSubscription | AsyncSubscriptionWorker) -> None:
        self._check_open()
        self._followers.add(worker)
        if self._wakeups is not None:
            self._wakeups.add(worker)

    def _appended(self) -> None:
        if self._wakeups is not None:
            self._wakeups.appended()

    async def identity(self) -> StoreIdentity:
        """See `mink_core.Subscriber.identity`."""
        return await self._run(feed.identity(self._context))

    async def feed_status(self) -> FeedStatus:
        """See `mink_core.Subscriber.feed_status`."""
        return await self._run_whole(feed.feed_status(self._context))

    async def bump_epoch(self) -> StoreIdentity:
        """See `Following.bump_epoch`."""
        return await self._run(feed.bump_epoch(self._context))
