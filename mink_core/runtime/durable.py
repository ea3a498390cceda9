"""Gives an adapter's store the `subscription` of `Store`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mink_core.runtime.settings import SubscriptionSettings
from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker
from mink_core.unawaited import check_plain, check_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from mink_core.capability import Capability
    from mink_core.handling import SubscriptionOptions


class _Settling:
    adapter_name: str

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[Capability]:
        """Which optional parts of the contract the adapter has."""

    def _settings(
        self, name: str, handler: Callable[..., Any], options: SubscriptionOptions, *, transactional: bool
    ) -> SubscriptionSettings:
        settings = SubscriptionSettings(name=name, handler=handler, transactional=transactional, **options)
        settings.check_capabilities(self.adapter_name, self.capabilities)
        return settings


class Durable(_Settling):
    """Durable subscriptions over `poll` and the sub-stores."""

    @abstractmethod
    def _watch(self, worker: SubscriptionWorker) -> None:
        """Note a worker that ends with the store, and is nudged by it."""

    def subscription(
        self,
        name: str,
        handler: Callable[..., object],
        *,
        transactional: bool = False,
        **options: Unpack[SubscriptionOptions],
    ) -> SubscriptionWorker:
        """See `Store.subscription`."""
        check_plain(handler, "a sync store's handler")
        worker = SubscriptionWorker(self, self._settings(name, handler, options, transactional=transactional))
        self._watch(worker)
        return worker


class AsyncDurable(_Settling):
    """`Durable` for asyncio."""

    @abstractmethod
    def _watch(self, worker: AsyncSubscriptionWorker) -> None:
        """Note a worker that ends with the store, and is nudged by it."""

    def subscription(
        self,
        name: str,
        handler: Callable[..., Any],
        *,
        transactional: bool = False,
        **options: Unpack[SubscriptionOptions],
    ) -> AsyncSubscriptionWorker:
        """See `Store.subscription`."""
        check_runs(handler, "an async store's handler")
        worker = AsyncSubscriptionWorker(self, self._settings(name, handler, options, transactional=transactional))
        self._watch(worker)
        return worker
