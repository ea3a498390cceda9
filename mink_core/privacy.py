"""Privacy: deleting, closing, redacting and purging streams, each with an audit record (rule PRIV)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class PrivacyOperation(Enum):
    """What was done."""

    SOFT_DELETE = "soft_delete"
    TOMBSTONE = "tombstone"
    REDACT = "redact"
    PURGE = "purge"


class PrivacyRecord(msgspec.Struct, frozen=True):
    """The audit record of one operation, stored with it."""

    number: int
    """In the order of storing, with holes."""
    operation: PrivacyOperation
    stream_id: str
    version: int
    """The stream's version, the redacted event's, or the last one purged."""
    by: str
    """Who did it, as the caller said."""
    reason: str
    counts: dict[str, int]
    """What else was changed: `events`, `snapshots`, `messages`, `keys`, `sagas`, `parked`."""
    done_at: datetime
    """Aware, in UTC, by the storage's clock."""


class PrivacyStore(Protocol):
    """Operations that take away what was stored. Each commits by itself; none can be undone.

    What each does to the stores around the log (PRIV-05). Of versions whose snapshots it deletes, none is saved afterwards:

    - `soft_delete`: deletes the stream's snapshots.
    - `tombstone`: nothing.
    - `redact`: deletes snapshots at and after the event, and outbox messages of the event, open ones
      too; empties the response and metadata of the stream's idempotency keys; empties what a handler
      said of a parked event. Sagas stay: what they took from it is theirs to change.
    - `purge`: deletes the stream's snapshots, the outbox messages of the events it removes, in whatever stream they are, and
      those of the stream that tell of none that it still has; parked events of what it removes; for good the
      sagas whose correlation id is the stream's id. Empties the stream's idempotency keys.

    Raises:
        CapabilityNotSupportedError: When asked for on a store that was not opened with `privacy=True`.
    """

    def soft_delete(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """Make a stream read as missing (PRIV-01). Its events stay in the feed.

        `NO_STREAM` and `ANY` append again, after its last version; only what is appended then is read.

        Raises:
            StreamNotFoundError: It does not exist, or is deleted already.
        """
        ...

    def tombstone(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """Refuse every append to a stream from now on, for ever (PRIV-02). What it has is read as before.

        The stream need not exist.
        """
        ...

    def redact(  # noqa: PLR0913 -- what is replaced, by whom and why
        self,
        stream_id: str,
        version: int,
        *,
        data: Any = None,
        metadata: dict[str, Any] | None = None,
        by: str,
        reason: str = "",
    ) -> PrivacyRecord:
        """Replace an event's content in place (PRIV-03).

        Id, type, version, position and timestamp stay. Visible at once; no subscriber skips it or
        gets it twice. `data` and `metadata` are as an append takes them: where the store has transforms, an
        object of the class that is registered for the event's type, say.

        Raises:
            StreamNotFoundError: There is no such event.
        """
        ...

    def purge(self, stream_id: str, *, up_to_version: int | None = None, by: str, reason: str = "") -> PrivacyRecord:
        """Remove a stream's events, or those up to a version (PRIV-04).

        Its versions go on where they were, and its positions become holes.

        Raises:
            StreamNotFoundError: The stream does not exist.
        """
        ...

    def audit(self, *, stream_id: str | None = None, after: int = 0, limit: int = 100) -> Sequence[PrivacyRecord]:
        """Audit records in order, above number `after`; a `limit` is kept to as given, however large."""
        ...


class AsyncPrivacyStore(Protocol):
    """`PrivacyStore` for asyncio."""

    async def soft_delete(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.soft_delete`."""
        ...

    async def tombstone(self, stream_id: str, *, by: str, reason: str = "") -> PrivacyRecord:
        """See `PrivacyStore.tombstone`."""
        ...

    async def redact(  # noqa: PLR0913 -- as above
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
        ...

    async def purge(
        self, stream_id: str, *, up_to_version: int | None = None, by: str, reason: str = ""
    ) -> PrivacyRecord:
        """See `PrivacyStore.purge`."""
        ...

    async def audit(self, *, stream_id: str | None = None, after: int = 0, limit: int = 100) -> Sequence[PrivacyRecord]:
        """See `PrivacyStore.audit`."""
        ...
