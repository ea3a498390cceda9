"""Several stores that share the streams among them: what a log for each category gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zlib import crc32

from mink_core import open_async_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mink_core import AppendResult, AsyncStore, NewEvent, StreamAppend, StreamInfo


class Spread:
    """As much of a store as appends need. There is no order, and no atomic append, between its parts."""

    def __init__(self, urls: Sequence[str]) -> None:
        """Open nothing yet."""
        self._stores = [open_async_store(url) for url in urls]

    def _of(self, stream_id: str) -> AsyncStore:
        return self._stores[crc32(stream_id.encode()) % len(self._stores)]

    async def initialize(self) -> None:
        """Make each."""
        for store in self._stores:
            await store.initialize()

    async def append(self, stream_id: str, events: Sequence[NewEvent], *, expected_version: Any) -> AppendResult:
        """Append where the stream is."""
        return await self._of(stream_id).append(stream_id, events, expected_version=expected_version)

    async def append_batch(self, items: Sequence[StreamAppend]) -> list[AppendResult]:
        """Append item by item: it is only filled by this."""
        return [result for item in items for result in await self._of(item.stream_id).append_batch([item])]

    async def streams(self, **options: Any) -> AsyncIterator[StreamInfo]:
        """The streams of all of them."""
        for store in self._stores:
            async for info in store.streams(**options):
                yield info

    async def close(self) -> None:
        """Close each."""
        for store in self._stores:
            await store.close()
