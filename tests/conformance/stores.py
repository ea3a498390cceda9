"""Targets for the kit's own tests: sound ones, and ones broken in one place."""

from __future__ import annotations

import sys
import time
from typing import Any

from mink_core import Capability, ConcurrencyError, ExpectedVersion, Page
from mink_core.adapter import EVERYTHING
from mink_memory import AsyncMemoryEventStore, MemoryEventStore, forget


def sound(namespace: str) -> MemoryEventStore:
    return MemoryEventStore(namespace)


sound.drop = forget  # type: ignore[attr-defined]


def sound_async(namespace: str) -> AsyncMemoryEventStore:
    return AsyncMemoryEventStore(namespace)


class _ExistsIsAny(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if expected_version is ExpectedVersion.STREAM_EXISTS:
            expected_version = ExpectedVersion.ANY
        return super().append(stream_id, events, expected_version=expected_version)


def exists_is_any(namespace: str) -> MemoryEventStore:
    return _ExistsIsAny(namespace)


class _Hanging(MemoryEventStore):
    def stream_info(self, stream_id: str) -> Any:
        while True:
            self.feed_status()


def hanging(namespace: str) -> MemoryEventStore:
    return _Hanging(namespace)


class _WithoutBatches(MemoryEventStore):
    """Does not declare batches, and answers them with another error than it should."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        return super().capabilities - {Capability.APPEND_BATCH}

    def append_batch(self, items: Any) -> Any:
        raise RuntimeError("no batches")  # not the error that a capability which is not declared asks for


def without_batches(namespace: str) -> MemoryEventStore:
    return _WithoutBatches(namespace)


class _WrongActual(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return super().append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(error.stream_id, error.expected, error.actual + 1) from None


def wrong_actual(namespace: str) -> MemoryEventStore:
    return _WrongActual(namespace)


class _Slow(MemoryEventStore):
    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        time.sleep(0.01)
        return super().append(stream_id, events, expected_version=expected_version)


def slow(namespace: str) -> MemoryEventStore:
    return _Slow(namespace)


class _LateCheckpoints:
    """Takes its time to store what a worker has handled, as a disk may; its store may be closed meanwhile."""

    def __init__(self, checkpoints: Any) -> None:
        self._checkpoints = checkpoints

    def __getattr__(self, name: str) -> Any:
        return getattr(self._checkpoints, name)

    def save(self, name: str, position: int, *, expected: int | None, **more: Any) -> None:
        if expected is not None:
            time.sleep(0.05)
        self._checkpoints.save(name, position, expected=expected, **more)


class _SavesLate(MemoryEventStore):
    @property
    def checkpoints(self) -> Any:
        return _LateCheckpoints(super().checkpoints)


def saves_late(namespace: str) -> MemoryEventStore:
    return _SavesLate(namespace)


NOT_CALLABLE = 1


def giving_none(namespace: str) -> None:
    del namespace


def giving_the_class(namespace: str) -> type[MemoryEventStore]:
    del namespace
    return MemoryEventStore


async def awaited(namespace: str) -> MemoryEventStore:
    return MemoryEventStore(namespace)


def failing_to_open(namespace: str) -> MemoryEventStore:
    msg = f"no database for {namespace}"
    raise OSError(msg)


def ending_the_program(namespace: str) -> MemoryEventStore:
    sys.exit(f"no {namespace}")


class _NeverClosing(MemoryEventStore):
    def close(self) -> None:
        msg = "cannot close"
        raise OSError(msg)


def never_closing(namespace: str) -> MemoryEventStore:
    return _NeverClosing(namespace)


class _OtherCapabilities(MemoryEventStore):
    @property
    def capabilities(self) -> Any:
        return ["OUTBOX"]


def other_capabilities(namespace: str) -> MemoryEventStore:
    return _OtherCapabilities(namespace)


class _WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class _Wordless(MemoryEventStore):
    def stream_info(self, stream_id: str) -> Any:
        raise _WordlessError


def wordless(namespace: str) -> MemoryEventStore:
    return _Wordless(namespace)


class _Unprintable(MemoryEventStore):
    def stream_info(self, stream_id: str) -> Any:
        raise ValueError("\ud800 [bold]")


def unprintable(namespace: str) -> MemoryEventStore:
    return _Unprintable(namespace)


class _Asleep(MemoryEventStore):
    def append(self, *arguments: Any, **more: Any) -> Any:
        time.sleep(60)


def asleep(namespace: str) -> MemoryEventStore:
    return _Asleep(namespace)


class _ShortPages(MemoryEventStore):
    """Right, and sparing: a page has seven events at most, and looks at sixteen."""

    def poll(self, after_position: int, *, limit: int = 100, where: Any = EVERYTHING, **more: Any) -> Any:
        page = super().poll(after_position, limit=limit, where=where, **more)
        if limit < 1:
            return page
        scanned = super().poll(after_position, limit=min(limit, 7 if where == EVERYTHING else 16))
        until = min(page.next_position, scanned.next_position)
        return Page([it for it in page.events if it.global_position <= until], until)


def short_pages(namespace: str) -> MemoryEventStore:
    return _ShortPages(namespace)


class _LateClaims:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def claim(self, worker: str, **more: Any) -> Any:
        time.sleep(0.15)
        return self._inner.claim(worker, **more)


class _Lagging(MemoryEventStore):
    """Right, and far away: what lasts a tenth of a second is over before the next claim."""

    @property
    def outbox(self) -> Any:
        return _LateClaims(super().outbox)


def lagging(namespace: str) -> MemoryEventStore:
    return _Lagging(namespace)


class _TurnsOnce(MemoryEventStore):
    """Gives a partition's first page of many events turned, once in this process."""

    turned = False

    def poll(self, after_position: int, *, where: Any = EVERYTHING, **more: Any) -> Any:
        page = super().poll(after_position, where=where, **more)
        if where.partition is None or _TurnsOnce.turned:
            return page
        if len(page.events) < 20:  # not before there are two of one stream
            return Page([], after_position)
        _TurnsOnce.turned = True
        return Page(list(page.events)[::-1], page.next_position)


def turns_once(namespace: str) -> MemoryEventStore:
    return _TurnsOnce(namespace)
