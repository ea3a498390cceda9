"""Appends that race, batches in parts, transactions that are none."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from mink_core import ConcurrencyError, ExpectedVersion, StreamNotFoundError
from tests.histories.twins.base import ANY, AsyncWrapped, Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReadThenWrite(Wrapped):
    """APPEND-06: a thread switch between the check and the write lets two win."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        self.refuse(stream_id, expected_version, self.version(stream_id))
        return self.inner.append(stream_id, events, expected_version=ANY)


class ConflictUnderAny(Wrapped):
    """APPEND-05: whoever loses the race to create a stream is told of a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if expected_version is ANY:
            expected_version = self.version(stream_id)
        return self.inner.append(stream_id, events, expected_version=expected_version)


class StaleActual(Wrapped):
    """APPEND-03: the conflict names a version that the stream had some time ago."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.inner.append(stream_id, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(stream_id, error.expected, max(error.actual - 1, 0)) from None


class ForgetsRepeats(Wrapped):
    """APPEND-09: a repeated call is a conflict."""

    _lock = threading.Lock()

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        with self._lock:
            self.refuse(stream_id, expected_version, self.version(stream_id))
            return self.inner.append(stream_id, events, expected_version=ANY)


class WritesTwice(Wrapped):
    """APPEND-09: a call repeated after others' appends is stored a second time."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        result = self.inner.append(stream_id, events, expected_version=expected_version)
        if self.version(stream_id) > result.last_version and self.inner.head_position() > result.last_position:
            return self.inner.append(stream_id, events, expected_version=ANY)
        return result


class BatchOneByOne(Wrapped):
    """APPEND-11: items are appended one after the other, and a refusal leaves the earlier ones."""

    def append_batch(self, items: Any) -> Any:
        return [self.inner.append(it.stream_id, it.events, expected_version=it.expected_version) for it in items]


class EventsOneByOne(Wrapped):
    """APPEND-01, 02: the events of a call are appended one after the other."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        results = [self.inner.append(stream_id, events[:1], expected_version=expected_version)]
        results += [self.inner.append(stream_id, [event], expected_version=ANY) for event in events[1:]]
        first, last = results[0], results[-1]
        ids = tuple(event.event_id for event in events)
        return type(first)(
            stream_id, first.first_version, last.last_version, first.first_position, last.last_position, ids
        )


class DirtyTransaction(Wrapped):
    """TX-01: appends of a transaction are visible at once, and stay when it is rolled back."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        yield self.inner


class AsyncReadThenWrite(AsyncWrapped):
    """APPEND-06: one await between the check and the write."""

    async def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            version = (await self.inner.stream_info(stream_id)).version
        except StreamNotFoundError:
            version = 0
        exact = 0 if expected_version is ExpectedVersion.NO_STREAM else expected_version
        if isinstance(exact, int) and exact != version:
            return await self.inner.append(stream_id, events, expected_version=expected_version)
        await asyncio.sleep(0)
        return await self.inner.append(stream_id, events, expected_version=ANY)


class AsyncBatchOneByOne(AsyncWrapped):
    """APPEND-11: others see, and come between, the items of a batch."""

    async def append_batch(self, items: Any) -> Any:
        done = []
        for item in items:
            done.append(await self.append(item.stream_id, item.events, expected_version=item.expected_version))
            await asyncio.sleep(0)
        return done


class AsyncDirtyTransaction(AsyncWrapped):
    """TX-01: see `DirtyTransaction`."""

    @asynccontextmanager
    async def transaction(self) -> Any:
        yield self.inner
