"""Reads that are stale, or cost too much."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tests.histories.twins.base import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator


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


class LeavesAThread(Wrapped):
    """LIFE-03: a thread of the store's own outlives its close."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
