"""Appends and reads that were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors.root import MinkError, UsageError, words_of

if TYPE_CHECKING:
    from uuid import UUID

    from mink_core.events import StoredEvent
    from mink_core.expected import ExpectedVersion


class ConcurrencyError(MinkError):
    """The stream is not at the expected version. Nothing of the call was stored.

    Attributes:
        stream_id: The stream that was appended to.
        expected: What the caller expected: an exact version or an `ExpectedVersion`.
        actual: The stream's version at the time of the refusal, 0 when it does not exist.
    """

    def __init__(self, stream_id: str, expected: ExpectedVersion | int, actual: int) -> None:
        """Keep the three facts and say them in one sentence."""
        wanted = f"version {expected}" if isinstance(expected, int) else expected.name
        state = f"is at version {actual}" if actual else "does not exist"
        super().__init__(
            f"stream {stream_id!r} {state}, but {wanted} was expected; nothing was stored: "
            "read the stream again, decide again, and append with the new version"
        )
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


class DuplicateEventError(MinkError):
    """An event id of the call is stored already, but not as this same call. Nothing was stored.

    Attributes:
        event_id: The first id of the call, in its order, that was found stored.
    """

    def __init__(self, event_id: UUID) -> None:
        """Keep the id."""
        super().__init__(
            f"event id {event_id} is already stored, but this call is not the same as the one "
            "that stored it; nothing of this call was stored: give new events new ids, or repeat "
            "the first call unchanged"
        )
        self.event_id = event_id


class StreamTombstonedError(MinkError):
    """The stream was tombstoned: no event can be appended to it, ever.

    Attributes:
        stream_id: The tombstoned stream.
    """

    def __init__(self, stream_id: str) -> None:
        """Keep the stream id."""
        super().__init__(f"stream {stream_id!r} is tombstoned; nothing was stored: use another stream id")
        self.stream_id = stream_id


class SubjectErasedError(MinkError):
    """The subject's key was erased: nothing can be encrypted for it any more. Nothing was stored.

    Attributes:
        subject: The erased subject.
    """

    def __init__(self, subject: str) -> None:
        """Keep the subject."""
        super().__init__(
            f"the key of subject {subject!r} was erased; nothing was stored: give who comes back a new subject id"
        )
        self.subject = subject


class StreamNotFoundError(MinkError, LookupError):
    """The stream does not exist.

    Attributes:
        stream_id: The stream that was asked for.
    """

    def __init__(self, stream_id: str) -> None:
        """Keep the stream id."""
        super().__init__(f"stream {stream_id!r} does not exist")
        self.stream_id = stream_id


class PositionAheadError(MinkError):
    """A reader's position is not from this store's history.

    Either it is above everything that the store ever allocated, or the identity or epoch it was
    saved with is another one: a restored backup, a lossy failover, or another database.

    Attributes:
        position: The position that the reader came with.
        high: The highest position that the store ever allocated.
    """

    def __init__(self, position: int, high: int, reason: str | None = None) -> None:
        """Keep the two positions; `reason` replaces the default explanation."""
        why = reason or (
            f"position {position} is above {high}, the highest this store ever allocated: "
            "it was restored, lost its newest events, or is not the store this position came from"
        )
        super().__init__(
            f"{why}; no event was read: find out which events the reader has handled that the "
            "store no longer has, then reset its checkpoint on purpose"
        )
        self.position = position
        self.high = high


class UnreadableEventError(UsageError):
    """One of the store's transforms raised on a stored event, which can therefore not be read. Nothing was changed.

    What it raised is the error's cause. To a durable subscription it is a failure of the event's, like one of the handler's.

    Attributes:
        event: The event as it is stored: no transform was applied.
    """

    def __init__(self, event: StoredEvent, error: Exception) -> None:
        """Keep the event, and say what was raised."""
        super().__init__(
            f"event {event.event_type!r} at position {event.global_position}, version {event.version} of stream "
            f"{event.stream_id!r}, cannot be read, as a transform of the store raised {type(error).__name__}: "
            f"{words_of(error)}; nothing "
            "was changed: mend the transform, or open the store without it"
        )
        self.event = event
