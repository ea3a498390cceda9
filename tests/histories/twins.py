"""Broken adapters around the memory store, each wrong in one way that only concurrent callers meet."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from mink_core import CheckpointConflictError, ConcurrencyError, ExpectedVersion, Page, StreamNotFoundError
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY


class Wrapped:
    """A memory store; a twin overrides what it breaks."""

    def __init__(self, namespace: str) -> None:
        self.inner: Any = MemoryEventStore(namespace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __enter__(self) -> Any:
        self.inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.inner.__exit__(*error)

    def version(self, stream_id: str) -> int:
        try:
            return int(self.inner.stream_info(stream_id).version)
        except StreamNotFoundError:
            return 0

    def refuse(self, stream_id: str, expected: Any, version: int) -> None:
        exact = 0 if expected is ExpectedVersion.NO_STREAM else expected
        if (isinstance(exact, int) and exact != version) or (expected is ExpectedVersion.STREAM_EXISTS and not version):
            raise ConcurrencyError(stream_id, expected, version)


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


class PlainCursor(Wrapped):
    """FEED-01: a poll shows whatever is committed, and moves past positions that commit later."""

    def committed(self) -> list[Any]:
        log = self.inner._handle.log
        with log._lock:
            return sorted((row for rows in log._streams.rows.values() for row in rows), key=lambda row: row.position)

    def poll(self, after_position: int, *, limit: int = 100, **options: Any) -> Page:
        where = options.get("where")
        only = where.stream_ids if where else ()
        rows = [row for row in self.committed() if row.position > after_position][:limit]
        events = [self.inner._view.decode(row) for row in rows if not only or row.stream_id in only]
        return Page(events, rows[-1].position if rows else after_position)

    def subscribe(self, **options: Any) -> Any:
        subscription = self.inner.subscribe(**options)
        subscription._log = self
        return subscription


class GapTimeout(PlainCursor):
    """FEED-01: a gap is waited for, but only for two milliseconds."""

    def poll(self, after_position: int, *, limit: int = 100, **options: Any) -> Page:
        until = time.monotonic() + 0.002
        while time.monotonic() < until:
            page = self.inner.poll(after_position, limit=limit, **options)
            if page.events or not self.inner.feed_status().holders:
                return page  # type: ignore[no-any-return]
            time.sleep(0.0005)
        return super().poll(after_position, limit=limit, **options)


class HeadAbove(PlainCursor):
    """FEED-05: the head is the newest committed event, whoever is still in flight below it."""

    def poll(self, after_position: int, **options: Any) -> Page:
        return self.inner.poll(after_position, **options)  # type: ignore[no-any-return]

    def head_position(self) -> int:
        rows = self.committed()
        return rows[-1].position if rows else 0


class SkipsPageEnd(Wrapped):
    """FEED-06: a full page says to go on behind the newest event."""

    def poll(self, after_position: int, **options: Any) -> Page:
        page = self.inner.poll(after_position, **options)
        return Page(page.events, max(page.next_position, self.inner.head_position()))


class WaitsForIdle(Wrapped):
    """FEED-04: the feed waits for every open transaction, whether it has appended or not."""

    def poll(self, after_position: int, **options: Any) -> Page:
        if _open_on(self.inner):
            return Page([], after_position)
        return self.inner.poll(after_position, **options)  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        opened = _open_on(self.inner)
        opened.append(1)
        try:
            with self.inner.transaction() as tx:
                yield tx
        finally:
            opened.pop()


_opened: dict[int, list[int]] = {}


def _open_on(store: Any) -> list[int]:
    return _opened.setdefault(id(store._handle.log), [])


class DirtyTransaction(Wrapped):
    """TX-01: appends of a transaction are visible at once, and stay when it is rolled back."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        yield self.inner


class LostAtHandOver(Wrapped):
    """SUB-01: what is appended between the end of the catch-up and going live is lost."""

    def subscribe(self, *, after_position: int = 0, **options: Any) -> Any:
        return HandOver(self.inner, after_position, options, lambda subscription: self.inner.head_position())


class RepeatedAtHandOver(Wrapped):
    """SUB-01: going live begins with the last event of the catch-up."""

    def subscribe(self, *, after_position: int = 0, **options: Any) -> Any:
        return HandOver(self.inner, after_position, options, lambda subscription: max(subscription.position - 1, 0))


class HandOver:
    """Catches up by polling, then goes live from where it is told to."""

    def __init__(self, store: Any, after: int, options: Any, live_from: Callable[[Any], int]) -> None:
        self.store, self.options, self.live_from = store, options, live_from
        self.catching_up = store.subscribe(after_position=after, **options)
        self.live: Any = None
        self.closed = False

    @property
    def position(self) -> int:
        return int((self.live or self.catching_up).position)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self.live is None:
            where, limit = self.options["where"], self.options["batch_size"]
            page = self.store.poll(self.catching_up.position, limit=limit, where=where)
            self.catching_up._position = page.next_position
            if page.events:
                return page.events
            time.sleep(0.0002)
            self.live = self.store.subscribe(after_position=self.live_from(self.catching_up), **self.options)
            if self.closed:
                self.live.close()
        return next(self.live)

    def close(self) -> None:
        self.closed = True
        for subscription in (self.catching_up, self.live):
            if subscription is not None:
                subscription.close()


class LossyLive(Wrapped):
    """SUB-05: a consumer that is slow loses what its short queue cannot hold."""

    def subscribe(self, **options: Any) -> Any:
        return Lossy(self.inner.subscribe(**options))


class Lossy:
    def __init__(self, inner: Any, size: int | None = 3) -> None:
        self.inner = inner
        self.queue: deque[Any] = deque(maxlen=size)
        self.ended = False
        threading.Thread(target=self._fill, daemon=True).start()

    @property
    def position(self) -> int:
        return int(self.inner.position)

    def _fill(self) -> None:
        for batch in self.inner:
            self.queue.append(batch)
        self.ended = True

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        while not self.queue:
            if self.ended:
                raise StopIteration
            time.sleep(0.002)
        return self.queue.popleft()

    def close(self) -> None:
        self.inner.close()


class SleepsOn(Wrapped):
    """SUB-04: a closed subscription sleeps its poll interval to the end."""

    def subscribe(self, *, after_position: int = 0, poll_interval: float = 0.1, **options: Any) -> Any:
        return Sleeper(self.inner, after_position, poll_interval)


class Sleeper:
    def __init__(self, store: Any, position: int, interval: float) -> None:
        self.store, self.position, self.interval = store, position, interval
        self.closed = False

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        while not self.closed:
            page = self.store.poll(self.position)
            if page.events:
                self.position = page.next_position
                return page.events
            time.sleep(min(self.interval, 8))
        raise StopIteration

    def close(self) -> None:
        self.closed = True


class ReadsItAll(Wrapped):
    """READ-04: a whole stream is read before its first event is given."""

    def read_stream(self, stream_id: str, **options: Any) -> Any:
        return iter(list(self.inner.read_stream(stream_id, **options)))


class HoldsOn(Wrapped):
    """READ-04: a reader holds one of eight connections until it ends."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.connections = threading.Semaphore(8)

    def read_stream(self, stream_id: str, **options: Any) -> Any:
        events = self.inner.read_stream(stream_id, **options)

        def reading() -> Iterator[Any]:
            with self.connections:
                yield from events

        return reading()


class GreedySubscription(Wrapped):
    """SUB-05: a subscription fetches all there is, whether its consumer takes it or not."""

    def subscribe(self, **options: Any) -> Any:
        return Lossy(self.inner.subscribe(**options), None)


class LeavesAThread(Wrapped):
    """LIFE-03: a thread of the store's own outlives its close."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()


class Beside(Wrapped):
    """A store whose checkpoints or subscriptions go through the twin."""

    @property
    def checkpoints(self) -> Any:
        return BrokenCheckpoints(self)

    @property
    def subscriptions(self) -> Any:
        return BrokenSubscriptions(self)

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        self.inner.checkpoints.save(name, position, expected=expected, lease=lease)

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        return self.inner.subscriptions.hold(name, owner, **options)


class BrokenCheckpoints:
    def __init__(self, twin: Beside) -> None:
        self.twin = twin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.twin.inner.checkpoints, name)

    def save(self, name: str, position: int, *, expected: Any, identity: Any = None, lease: Any = None) -> None:
        self.twin.save(name, position, expected=expected, lease=lease)


class BrokenSubscriptions:
    def __init__(self, twin: Beside) -> None:
        self.twin = twin

    def __getattr__(self, name: str) -> Any:
        return getattr(self.twin.inner.subscriptions, name)

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        return self.twin.hold(name, owner, **options)


class LastSaveWins(Beside):
    """SUB-08: a checkpoint is looked at, then overwritten, whoever came in between."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        there = self.inner.checkpoints.load(name)
        at = None if there is None else there.position
        if at != expected:
            raise CheckpointConflictError(name, expected, at)
        self.inner.checkpoints.reset(name, position)


class StaleCheckpointConflict(Beside):
    """SUB-08: a conflict names the position that the caller expected."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        try:
            super().save(name, position, expected=expected, lease=lease)
        except CheckpointConflictError:
            raise CheckpointConflictError(name, expected, expected) from None


class NoFence(Beside):
    """SUB-09: a lease that was lost is not looked at."""

    def save(self, name: str, position: int, *, expected: Any, lease: Any) -> None:
        super().save(name, position, expected=expected, lease=None)


class LetsGoEarly(Beside):
    """SUB-09: a worker counts as alive for half of the time it was promised."""

    def hold(self, name: str, owner: str, *, partitions: int, seconds: float) -> Any:
        return super().hold(name, owner, partitions=partitions, seconds=seconds / 4)


class OneToken(Beside):
    """SUB-09: the token of a partition never changes."""

    def hold(self, name: str, owner: str, **options: Any) -> Any:
        holding = super().hold(name, owner, **options)
        leases = tuple(msgspec.structs.replace(lease, token=1) for lease in holding.leases)
        return msgspec.structs.replace(holding, leases=leases)


class StaleReads(Wrapped):
    """READ-06: a handle keeps what it read of a stream."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.cache: dict[str, list[Any]] = {}

    def read_stream(self, stream_id: str, **options: Any) -> Any:
        if options:
            return self.inner.read_stream(stream_id, **options)
        known = self.cache.get(stream_id)
        if known is None or len(known) % 3 == 0:
            known = self.cache[stream_id] = list(self.inner.read_stream(stream_id))
        return iter(known)


class AsyncWrapped:
    """An async memory store; a twin overrides what it breaks."""

    def __init__(self, namespace: str) -> None:
        self.inner: Any = AsyncMemoryEventStore(namespace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        return await self.inner.append(stream_id, events, expected_version=expected_version)

    async def __aenter__(self) -> Any:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.inner.__aexit__(*error)


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


SYNC = [
    ReadThenWrite,
    ConflictUnderAny,
    StaleActual,
    ForgetsRepeats,
    WritesTwice,
    BatchOneByOne,
    EventsOneByOne,
    PlainCursor,
    GapTimeout,
    HeadAbove,
    SkipsPageEnd,
    WaitsForIdle,
    DirtyTransaction,
    LostAtHandOver,
    RepeatedAtHandOver,
    LossyLive,
    StaleReads,
    LeavesAThread,
    LastSaveWins,
    StaleCheckpointConflict,
    NoFence,
    LetsGoEarly,
    OneToken,
]
AT_STANDARD = [ReadsItAll, HoldsOn, GreedySubscription]
ASYNC = [AsyncReadThenWrite, AsyncBatchOneByOne, AsyncDirtyTransaction]
