"""Keys and messages that are nearly handed out as they should be."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, MessageStatus


class _SubStore:
    """Hands everything on to the inner one."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _Everybody(_SubStore):
    def reserve(self, key: str, **more: Any) -> Any:
        found = self.inner.reserve(key, **more)
        return found if found.is_mine or found.record.completed else replace(found, token=uuid4())


@breaks("IDEM-01", needs=[Capability.IDEMPOTENCY])
class EverybodyGetsTheKey(Wrapped):
    """Gives a key that somebody works on to the next caller as well."""

    @property
    def idempotency(self) -> Any:
        return _Everybody(self.store.idempotency)


class _Blocking(_SubStore):
    def claim(self, worker: str, **more: Any) -> Any:
        waiting = [it for it in self.inner.list(status=MessageStatus.PENDING) if it.attempts]
        return [] if waiting else self.inner.claim(worker, **more)


@breaks("OUTBOX-04", needs=[Capability.OUTBOX])
class ABadMessageStopsAll(Wrapped):
    """Claims nothing while a message that failed waits for its next attempt."""

    @property
    def outbox(self) -> Any:
        return _Blocking(self.store.outbox)
