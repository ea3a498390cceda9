"""Durable subscriptions that begin anew, commit by halves, or do not fence."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, SubscriptionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core import StoredEvent

DURABLE = [Capability.DURABLE_SUBSCRIPTIONS, Capability.CHECKPOINTS]


@breaks("SUB-06", needs=DURABLE)
class BeginsAnew(Wrapped):
    """Forgets a subscription when a worker starts: everything is handled again."""

    def subscription(self, name: str, handler: Callable[..., Any], **options: Any) -> Any:
        with suppress(SubscriptionNotFoundError):
            self.store.subscriptions.reset(name)
        return self.store.subscription(name, handler, **options)


@breaks("SUB-07", needs=[*DURABLE, Capability.TRANSACTIONS])
class EffectsBeside(Wrapped):
    """Hands a transactional handler the store itself: its effects stay when it fails, and come again."""

    def subscription(
        self, name: str, handler: Callable[..., Any], *, transactional: bool = False, **options: Any
    ) -> Any:
        def beside(event: StoredEvent) -> Any:
            return handler(event, self.store)

        return self.store.subscription(name, beside if transactional else handler, **options)


class _Unfenced:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def save(self, name: str, position: int, **more: Any) -> None:
        more.pop("lease", None)
        self.inner.save(name, position, **more)


@breaks("SUB-09", "SUB-08", needs=[*DURABLE, Capability.PARTITIONS])
class SavesWithoutALease(Wrapped):
    """Looks at the position alone when a checkpoint is saved: a worker that was replaced moves it."""

    @property
    def checkpoints(self) -> Any:
        return _Unfenced(self.store.checkpoints)


class _TakesAll:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def hold(self, name: str, owner: str, **more: Any) -> Any:
        found = self.inner.hold(name, "everybody", **more)
        del owner
        return found


@breaks("SUB-09", needs=[*DURABLE, Capability.PARTITIONS])
class OneOwnerForAll(Wrapped):
    """Takes all workers for one: every one of them is given every partition."""

    @property
    def subscriptions(self) -> Any:
        return _TakesAll(self.store.subscriptions)
