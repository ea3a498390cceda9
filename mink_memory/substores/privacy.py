"""`store.privacy`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.prepare_substores.privacy import check_audit, check_operation, check_purge, check_redaction
from mink_memory.changes import privacy
from mink_memory.substores.base import AsyncRun, AsyncSubStore, Run, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.privacy import PrivacyRecord
    from mink_memory.handle import Handle


class MemoryPrivacy(SubStore):
    """See `mink_core.PrivacyStore`."""

    def __init__(self, run: Run, handle: Handle[Any]) -> None:
        """Made by the property of a store."""
        super().__init__(run)
        self._handle = handle

    def soft_delete(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.soft_delete`."""
        check_operation(stream_id, by, reason)
        return self._run(privacy.soft_delete(self._handle, stream_id, by, reason))

    def tombstone(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.tombstone`."""
        check_operation(stream_id, by, reason)
        return self._run(privacy.tombstone(self._handle, stream_id, by, reason))

    def redact(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        *,
        data: Any = None,
        metadata: dict[str, Any] | None = None,
        by: str,
        reason: str = "",
    ) -> PrivacyRecord:
        """See `PrivacyStore.redact`."""
        check_operation(stream_id, by, reason)
        check_redaction(version, data, metadata, self._handle.transforms)
        return self._run(privacy.redact(self._handle, stream_id, version, data, metadata, by, reason))

    def purge(self, stream_id: str, *, up_to_version: int | None = None, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.purge`."""
        check_purge(stream_id, up_to_version, by, reason)
        return self._run(privacy.purge(self._handle, stream_id, up_to_version, by, reason))

    def audit(self, *, stream_id: str | None = None, after: int = 0, limit: int = 100) -> Sequence[PrivacyRecord]:
        """See `PrivacyStore.audit`."""
        check_audit(stream_id, after, limit)
        return self._run(privacy.audit(stream_id, after, limit))


class AsyncMemoryPrivacy(AsyncSubStore):
    """See `mink_core.AsyncPrivacyStore`."""

    def __init__(self, run: AsyncRun, handle: Handle[Any]) -> None:
        """Made by the property of a store."""
        super().__init__(run)
        self._handle = handle

    async def soft_delete(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.soft_delete`."""
        check_operation(stream_id, by, reason)
        return await self._run(privacy.soft_delete(self._handle, stream_id, by, reason))

    async def tombstone(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.tombstone`."""
        check_operation(stream_id, by, reason)
        return await self._run(privacy.tombstone(self._handle, stream_id, by, reason))

    async def redact(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        *,
        data: Any = None,
        metadata: dict[str, Any] | None = None,
        by: str,
        reason: str = "",
    ) -> PrivacyRecord:
        """See `PrivacyStore.redact`."""
        check_operation(stream_id, by, reason)
        check_redaction(version, data, metadata, self._handle.transforms)
        return await self._run(privacy.redact(self._handle, stream_id, version, data, metadata, by, reason))

    async def purge(
        self, stream_id: str, *, up_to_version: int | None = None, by: str, reason: str = ""
    ) -> PrivacyRecord:
        """See `PrivacyStore.purge`."""
        check_purge(stream_id, up_to_version, by, reason)
        return await self._run(privacy.purge(self._handle, stream_id, up_to_version, by, reason))

    async def audit(self, *, stream_id: str | None = None, after: int = 0, limit: int = 100) -> Sequence[PrivacyRecord]:
        """See `PrivacyStore.audit`."""
        check_audit(stream_id, after, limit)
        return await self._run(privacy.audit(stream_id, after, limit))
