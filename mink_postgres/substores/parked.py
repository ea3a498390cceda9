"""`store.parked`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.limits import check_count, check_subscription_name
from mink_core.runtime.checks import check_park, check_parked
from mink_postgres.programs import parked
from mink_postgres.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoredEvent
    from mink_core.parked import ParkedEvent


class PostgresParkedEvents(SubStore):
    """See `mink_core.ParkedEventStore`."""

    def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """See `ParkedEventStore.park`."""
        check_park(subscription, event, attempts, error)
        self._run(parked.park(self._context, subscription, event, attempts, error))

    def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """See `ParkedEventStore.list`."""
        check_parked(subscription, None)
        return self._run(parked.list_all(self._context, subscription, asked=asked))

    def replay(self, subscription: str, position: int | None = None) -> int:
        """See `ParkedEventStore.replay`."""
        check_parked(subscription, position)
        return self._run(parked.replay(self._context, check_subscription_name(subscription), position))

    def remove(self, subscription: str, position: int) -> bool:
        """See `ParkedEventStore.remove`."""
        return self._run(
            parked.remove(self._context, check_subscription_name(subscription), check_count(position, "position"))
        )


class AsyncPostgresParkedEvents(AsyncSubStore):
    """See `mink_core.AsyncParkedEventStore`."""

    async def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """See `ParkedEventStore.park`."""
        check_park(subscription, event, attempts, error)
        await self._run(parked.park(self._context, subscription, event, attempts, error))

    async def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """See `ParkedEventStore.list`."""
        check_parked(subscription, None)
        return await self._run(parked.list_all(self._context, subscription, asked=asked))

    async def replay(self, subscription: str, position: int | None = None) -> int:
        """See `ParkedEventStore.replay`."""
        check_parked(subscription, position)
        return await self._run(parked.replay(self._context, check_subscription_name(subscription), position))

    async def remove(self, subscription: str, position: int) -> bool:
        """See `ParkedEventStore.remove`."""
        return await self._run(
            parked.remove(self._context, check_subscription_name(subscription), check_count(position, "position"))
        )
