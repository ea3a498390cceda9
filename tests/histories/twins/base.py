"""Memory stores that a twin overrides in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core import ConcurrencyError, ExpectedVersion, StreamNotFoundError
from mink_memory import AsyncMemoryEventStore, MemoryEventStore

if TYPE_CHECKING:
    pass


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
