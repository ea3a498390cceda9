"""What an operator does with a store: migrate it, grant on it, diagnose it, measure it.

Not part of the contract: an adapter may offer it by a function `administration(url)` beside
`open_store` (see `mink_core.registry.Adapter`). Sync only: it is for command lines and scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence  # noqa: TC003 -- looked up at run time by get_type_hints
from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from enum import Enum
from typing import Protocol

import msgspec

from mink_core.events import StoredEvent  # noqa: TC001 -- as above


class SchemaStep(msgspec.Struct, frozen=True):
    """One migration, as the code knows it or as the storage records it."""

    version: int
    name: str
    oldest_code: int
    """The version of the oldest code that works once this step is applied."""
    applied_at: datetime | None
    """None where the storage does not have it yet."""
    known: bool
    """Whether this code knows the step; older code may go on beside a step that it does not know."""


class SchemaStatus(msgspec.Struct, frozen=True):
    """Which migrations a store has."""

    version: int
    """The newest step that is applied, 0 for none."""
    code_version: int
    """The newest step that this code knows."""
    steps: tuple[SchemaStep, ...]
    """All steps, applied or not, in order."""

    @property
    def pending(self) -> tuple[SchemaStep, ...]:
        """The steps that are not applied."""
        return tuple(step for step in self.steps if step.applied_at is None)


class Access(Enum):
    """What a database role may do with a store."""

    OWNER = "owner"
    """Everything, also migrations and privacy operations."""
    WRITER = "writer"
    """Append and read; never change or remove an event."""
    READER = "reader"
    """Read streams and the feed."""
    SUBSCRIBER = "subscriber"
    """Read, and keep checkpoints and the state of subscriptions."""


class Level(Enum):
    """How bad a diagnosis is, from fine to data at risk."""

    OK = "ok"
    NOTICE = "notice"
    """Worth knowing; nothing is wrong."""
    WARNING = "warning"
    """Something is late, or will become a problem."""
    CRITICAL = "critical"
    """The store does not work, or acknowledged events can be lost."""


class Diagnosis(msgspec.Struct, frozen=True):
    """What one look at a running store says."""

    subject: str
    """What was looked at: `feed`, `setting fsync`, `index …`."""
    level: Level
    finding: str
    advice: str = ""
    """What to do about it; empty where there is nothing to do."""
    figures: Mapping[str, int | float | str | None] = {}
    """The figures behind it, for programs."""


class StreamMark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What privacy operations have done to a stream, and its events do not tell."""

    stream_id: str
    version: int
    """The stream's; it may have no event left."""
    purged_version: int
    """Events up to here were removed, 0 for none."""
    hidden_version: int
    """Events up to here read as missing in the stream, 0 for none."""
    deleted_at: datetime | None
    """Since when it is soft-deleted; None while it is not."""
    tombstoned_at: datetime | None


class Partitioned(msgspec.Struct, frozen=True):
    """What moving a store's events into partitions came to."""

    partitions: int
    copied: int
    """Events copied in this call; what an earlier call had copied is not counted."""
    copied_under_lock: int
    """Those of them that were copied while nobody else could append or read."""
    pause: float
    """Seconds from asking for the lock until all could go on."""


class PayloadsChanged(msgspec.Struct, frozen=True):
    """What changing the type of a store's payloads came to."""

    json_type: str
    """What they are now."""
    changed: bool
    """False where they were of that type already: nothing was done."""
    copied: int
    """Events copied in this call; what an earlier call had copied is not counted."""
    copied_under_lock: int
    """Those of them that were copied while nobody else could append or read."""
    pause: float
    """Seconds from asking for the lock until all could go on."""


class RelationSize(msgspec.Struct, frozen=True):
    """The size of a table or an index."""

    name: str
    rows: int
    """Rows by the storage's own estimate."""
    bytes: int
    """A table without its indexes."""


class StoreStatistics(msgspec.Struct, frozen=True):
    """How much a store holds and how fast it grows."""

    head: int
    """The newest event's position that the feed shows."""
    high: int
    """The highest position that was ever allocated."""
    events: int
    """Events, by the storage's own estimate."""
    streams: int
    """Streams, by the storage's own estimate."""
    events_last_minute: int
    events_last_hour: int
    tables: tuple[RelationSize, ...]
    indexes: tuple[RelationSize, ...]
    total_bytes: int


class Administration(Protocol):
    """An adapter's administration, open until its context is left. Not safe to share between threads."""

    def schema_status(self) -> SchemaStatus:
        """Which migrations are applied, and which are not."""
        ...

    def migrate(self) -> Sequence[str]:
        """Apply what is pending, all of it or nothing.

        Returns:
            The names of the steps that were applied.

        Raises:
            SchemaError: The schema is too new for this code, was changed by hand, or cannot be taken over.
            StorageError: The storage refused; nothing was changed.
        """
        ...

    def partition(self, partitions: int, progress: Callable[[int, int], object] | None = None) -> Partitioned:
        """Move the events of a store that is in use into partitions by stream.

        They are copied beside while the store is used, so the storage must have room for them twice. A call that
        was broken off goes on where it was.

        Args:
            partitions: How many.
            progress: Called with the position up to which was copied, and the one to reach.

        Raises:
            UsageError: The number cannot be.
            SchemaError: The store is partitioned already, or has what partitions cannot have; says what.
            TransientStorageError: Appends in flight did not end for the last step; call it again.
        """
        ...

    def change_payloads(self, json_type: str, progress: Callable[[int, int], object] | None = None) -> PayloadsChanged:
        """Keep the data and metadata of a store that is in use as another type of the storage's.

        The events are copied beside while the store is used, so the storage must have room for them twice. A call that
        was broken off goes on where it was. Stores that are open go on, and use the type at their next opening.

        Args:
            json_type: PostgreSQL's `json` or `jsonb`.
            progress: Called with the position up to which was copied, and the one to reach.

        Raises:
            UsageError: There is no such type, or the storage has no choice of types.
            SchemaError: The store has what the new table would not have, or an event that `jsonb` cannot hold; says
                which.
            TransientStorageError: Appends in flight did not end for the last step; call it again.
        """
        ...

    def migration_script(self) -> str:
        """What `migrate` would run, to be reviewed and run by hand; empty where nothing is pending."""
        ...

    def grants_script(self, role: str, access: Sequence[Access]) -> str:
        """What `grant` would run.

        Raises:
            UsageError: The role's name cannot be one, or no access was named.
        """
        ...

    def grant(self, role: str, access: Sequence[Access]) -> None:
        """Give a role of the storage exactly this access and take away any other. Idempotent.

        Raises:
            SchemaError: The store is not up to date.
            StorageError: There is no such role, or the caller may not grant.
        """
        ...

    def diagnose(self, *, max_lag: float = 60.0) -> Sequence[Diagnosis]:
        """Look at everything that is known to go wrong, changing nothing.

        Args:
            max_lag: Seconds that a subscription, the outbox or an open transaction may take before it
                is a warning; ten times as long is critical.
        """
        ...

    def import_events(self, events: Sequence[StoredEvent]) -> int:
        """Store events as they are: ids, versions, timestamps, metadata. Positions are new, in the order given.

        A new stream may begin above version 1: what was before was purged. All or nothing. Events that the store has already are left out, so that a call can be repeated.
        Nothing is transformed: it is for what an export of the stored events gave.

        Returns:
            How many were stored.

        Raises:
            UsageError: An event breaks a limit, or does not go on with its stream.
            DuplicateEventError: The store has another event in an event's place.
            StreamTombstonedError: A stream that is tombstoned here has new events.
            StorageError: The storage failed; nothing of this call was stored, or all of it: repeat it.
        """
        ...

    def stream_marks(self) -> Iterable[StreamMark]:
        """The streams that privacy operations have worked on, in code point order."""
        ...

    def check_marks(self, count: int) -> None:
        """Refuse an import before it begins, where so many marks are to come and none can be taken.

        Raises:
            CapabilityNotSupportedError: The store has no privacy operations, and there are some.
        """
        ...

    def import_marks(self, marks: Sequence[StreamMark]) -> None:
        """Mark streams as they were marked elsewhere, after their events were imported. Idempotent.

        Raises:
            StorageError: The role may not do it: it takes `Access.OWNER`.
        """
        ...

    def statistics(self) -> StoreStatistics:
        """How much the store holds."""
        ...
