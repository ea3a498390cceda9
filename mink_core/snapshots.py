"""Snapshots: a stream's state at a version, so that only its tail must be read (rule SNAP)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from mink_core.events import StoredEvent

E_co = TypeVar("E_co", covariant=True)


class Snapshot(msgspec.Struct, frozen=True):
    """The state of a stream at one version."""

    stream_id: str
    version: int
    """The state is that after this version's event."""
    data: Any
    """What was saved: a JSON value, or bytes."""
    snapshot_type: str
    """What `data` is the state of, as the saver named it."""
    schema_version: int
    """Which shape `data` has, as the saver numbered it."""
    created_at: datetime
    """Aware, in UTC, by the storage's clock."""


class SnapshotInfo(msgspec.Struct, frozen=True):
    """A stream's newest snapshot without its data."""

    stream_id: str
    version: int
    snapshot_type: str
    schema_version: int
    size: int
    """Bytes of its data."""
    created_at: datetime


class Tail(NamedTuple, Generic[E_co]):
    """A snapshot, and the events of its stream after it."""

    snapshot: Snapshot | None
    """None: `events` begins at version 1."""
    events: E_co
    """An iterator; what the first round trip did not bring is read page by page."""


class SnapshotStore(Protocol):
    """Snapshots by stream. Also on a transaction, where they are saved with everything else in it.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.SNAPSHOTS`.
    """

    def save(  # noqa: PLR0913 -- what a snapshot is made of
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """Save the state at a version. The newest version wins, whoever comes last (SNAP-01).

        Args:
            stream_id: The stream.
            version: The version of the last event in the state, at least 1. The same version again
                replaces its snapshot.
            data: A JSON value, or bytes of any encoding.
            snapshot_type: Up to 500 characters; a reader may ask for this type only.
            schema_version: From 1; a reader may ask for this shape only.
            keep: So many of the stream's snapshots are kept, this one included, at most 1,000.

        Returns:
            Whether it was saved. False, and nothing was changed, where the stream has a newer one, and where the state may hold
            what was hidden or erased since it was read (PRIV-05).
        """
        ...

    def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """The newest snapshot that fits, None where none does.

        Args:
            stream_id: The stream.
            at_version: Only at or before this version.
            snapshot_type: Only of this type.
            schema_version: Only of this shape.
        """
        ...

    def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[Iterator[StoredEvent]]:
        """The newest snapshot that fits and the events after it, in one round trip (SNAP-03).

        A snapshot that is ahead of its stream (from another database, or a newer backup) is left
        out: it would hide events.
        """
        ...

    def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """Delete a stream's snapshots, or those up to a version; tells how many there were."""
        ...

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """Each stream's newest snapshot, in code point order of the stream ids, after `after`."""
        ...


class AsyncSnapshotStore(Protocol):
    """`SnapshotStore` for asyncio."""

    async def save(  # noqa: PLR0913 -- as above
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """See `SnapshotStore.save`."""
        ...

    async def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """See `SnapshotStore.load`."""
        ...

    async def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[AsyncIterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        ...

    async def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        ...

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        ...
