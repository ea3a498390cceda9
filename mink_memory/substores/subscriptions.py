"""`store.subscriptions`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.limits import check_count, check_owner, check_subscription_name
from mink_core.runtime.checks import check_hold, check_lease
from mink_memory.changes import subscriptions
from mink_memory.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.leases import Lease
    from mink_core.subscriptions import Holding, SubscriptionStatus


class MemorySubscriptions(SubStore):
    """See `mink_core.SubscriptionStore`."""

    def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """See `SubscriptionStore.hold`."""
        check_hold(name, owner, partitions, seconds)
        return self._run(subscriptions.hold(name, owner, partitions, seconds))

    def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        check_lease(lease)
        self._run(subscriptions.release(lease))

    def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        self._run(subscriptions.leave(check_subscription_name(name), check_owner(owner)))

    def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        self._run(subscriptions.pause(check_subscription_name(name)))

    def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        self._run(subscriptions.resume(check_subscription_name(name)))

    def rewind(self, name: str, position: int) -> None:
        """See `SubscriptionStore.rewind`."""
        self._run(subscriptions.rewind(check_subscription_name(name), check_count(position, "position")))

    def reset(self, name: str) -> None:
        """See `SubscriptionStore.reset`."""
        self._run(subscriptions.rewind(check_subscription_name(name), None))

    def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        return self._run(subscriptions.list_all())


class AsyncMemorySubscriptions(AsyncSubStore):
    """See `mink_core.AsyncSubscriptionStore`."""

    async def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Holding:
        """See `SubscriptionStore.hold`."""
        check_hold(name, owner, partitions, seconds)
        return await self._run(subscriptions.hold(name, owner, partitions, seconds))

    async def release(self, lease: Lease) -> None:
        """See `SubscriptionStore.release`."""
        check_lease(lease)
        await self._run(subscriptions.release(lease))

    async def leave(self, name: str, owner: str) -> None:
        """See `SubscriptionStore.leave`."""
        await self._run(subscriptions.leave(check_subscription_name(name), check_owner(owner)))

    async def pause(self, name: str) -> None:
        """See `SubscriptionStore.pause`."""
        await self._run(subscriptions.pause(check_subscription_name(name)))

    async def resume(self, name: str) -> None:
        """See `SubscriptionStore.resume`."""
        await self._run(subscriptions.resume(check_subscription_name(name)))

    async def rewind(self, name: str, position: int) -> None:
        """See `SubscriptionStore.rewind`."""
        await self._run(subscriptions.rewind(check_subscription_name(name), check_count(position, "position")))

    async def reset(self, name: str) -> None:
        """See `SubscriptionStore.reset`."""
        await self._run(subscriptions.rewind(check_subscription_name(name), None))

    async def list(self) -> Sequence[SubscriptionStatus]:
        """See `SubscriptionStore.list`."""
        return await self._run(subscriptions.list_all())
