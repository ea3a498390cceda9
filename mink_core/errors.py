"""Every error that Mink raises on purpose.

    MinkError
    ├── ConcurrencyError                  the stream is not at the expected version; nothing was stored
    ├── DuplicateEventError               an event id is stored already, with other content or elsewhere
    ├── StreamTombstonedError             the stream was closed for ever
    ├── SubjectErasedError                the key of the person was erased; nothing is encrypted for them any more
    ├── PositionAheadError                a reader's position is not from this store's history
    ├── CheckpointConflictError           somebody else moved the checkpoint
    ├── HandlerFailedError                a subscription's handler failed each time; its worker has ended
    ├── LeaseLostError                    another worker took over; nothing of this one is stored
    ├── DuplicateMessageError             an outbox message id is stored already, by another call
    ├── SagaConflictError                 the saga is not at the expected version, or was deleted
    ├── KeyBusyError                      somebody still works on the idempotency key
    ├── StreamNotFoundError               also LookupError
    ├── SubscriptionNotFoundError         also LookupError
    ├── UsageError                        also ValueError; refused before anything was sent
    ├── StoreClosedError                  the store (or subscription, or transaction) is closed
    ├── SchemaError                       not initialized, or newer or older than this code
    ├── CapabilityNotSupportedError       the adapter does not offer what was asked
    ├── AdapterError
    │   ├── UnknownAdapterError           also LookupError
    │   └── AdapterNotInstalledError      also ImportError
    └── StorageError                      the storage failed
        ├── TransientStorageError         nothing was stored; the same call may be retried
        └── OutcomeUnknownError           the reply was lost

Every class carries its fields as attributes and pickles. A message says what
happened, what was and was not stored, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from mink_core.capability import Capability
    from mink_core.expected import ExpectedVersion


class MinkError(Exception):
    """The root of every error raised by Mink."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state: the constructors take fields, not a message."""
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(kind: type[MinkError], args: tuple[Any, ...], state: dict[str, Any]) -> MinkError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


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


class CheckpointConflictError(MinkError):
    """The checkpoint is not what the caller expected: another worker moved it. It was not changed.

    Attributes:
        name: The checkpoint's name.
        expected: The position the caller expected, None for no checkpoint.
        actual: The position found, None for no checkpoint.
    """

    def __init__(self, name: str, expected: int | None, actual: int | None) -> None:
        """Keep the three facts."""
        super().__init__(
            f"checkpoint {name!r} is {actual}, but {expected} was expected; it was not changed: "
            "another worker has moved it, so load it again before going on"
        )
        self.name = name
        self.expected = expected
        self.actual = actual


class HandlerFailedError(MinkError):
    """A durable subscription's handler failed on an event each time it was tried, and its worker has ended.

    What the handler raised last is the error's cause. The checkpoint is before the event, which is
    the first to be handled when a worker starts again.

    Attributes:
        subscription: The subscription's name.
        position: The event's global position.
        attempts: How often it was tried.
    """

    def __init__(self, subscription: str, position: int, event_type: str, attempts: int, cause: str) -> None:
        """Keep the facts and say them in one sentence."""
        super().__init__(
            f"subscription {subscription!r} has stopped: its handler failed {attempts} times on the {event_type} at "
            f"position {position} ({cause}); everything before it is done: mend the handler and start the worker "
            "again, or let it park what it fails on"
        )
        self.subscription = subscription
        self.position = position
        self.attempts = attempts


class LeaseLostError(MinkError):
    """The lease that a write was fenced with is no longer the newest: it was refused, nothing was stored.

    Attributes:
        name: What the lease was for.
        token: The fencing token that the caller came with.
    """

    def __init__(self, name: str, token: int | UUID) -> None:
        """Keep both."""
        super().__init__(
            f"the lease on {name!r} with token {token} was lost: somebody else took over; nothing was stored: "
            "stop working on it, and claim it again before going on"
        )
        self.name = name
        self.token = token


class DuplicateMessageError(MinkError):
    """A message id is in the outbox already, with other content or by another call. Nothing was stored.

    Attributes:
        message_id: The id.
    """

    def __init__(self, message_id: UUID) -> None:
        """Keep the id."""
        super().__init__(
            f"outbox message id {message_id} is already stored, but not by this same call; nothing of this call was "
            "stored: give new messages new ids, or repeat the first call unchanged"
        )
        self.message_id = message_id


class SagaConflictError(MinkError):
    """The saga is not at the expected version. It was not changed.

    Attributes:
        saga_id: The saga.
        expected: The version that the caller expected, 0 for none.
        actual: The version found, 0 for none; None where it was deleted, which is for good.
    """

    def __init__(self, saga_id: str, expected: int, actual: int | None) -> None:
        """Keep the three facts."""
        state = "was deleted" if actual is None else f"is at version {actual}" if actual else "does not exist"
        then = "use another id" if actual is None else "load it again, decide again, and save with the new version"
        super().__init__(f"saga {saga_id!r} {state}, but version {expected} was expected; nothing was changed: {then}")
        self.saga_id = saga_id
        self.expected = expected
        self.actual = actual


class KeyBusyError(MinkError):
    """Somebody works on an idempotency key, and has not finished in the time that was waited. Nothing was done.

    Attributes:
        key: The key.
    """

    def __init__(self, key: str) -> None:
        """Keep the key."""
        super().__init__(
            f"somebody still works on the idempotency key {key!r}; nothing was done: come back later with the same key"
        )
        self.key = key


class StreamNotFoundError(MinkError, LookupError):
    """The stream does not exist.

    Attributes:
        stream_id: The stream that was asked for.
    """

    def __init__(self, stream_id: str) -> None:
        """Keep the stream id."""
        super().__init__(f"stream {stream_id!r} does not exist")
        self.stream_id = stream_id


class SubscriptionNotFoundError(MinkError, LookupError):
    """There is no durable subscription of that name.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str) -> None:
        """Keep the name."""
        super().__init__(
            f"there is no subscription {name!r}: it is made when its first worker starts; nothing was changed"
        )
        self.name = name


class UsageError(MinkError, ValueError):
    """An argument is wrong. It was refused before anything was sent or stored."""


class StoreClosedError(MinkError):
    """The store, transaction or subscription was closed and cannot be used any more."""


class SchemaError(MinkError):
    """The storage is not initialized, or its schema is newer or older than this code knows."""


class CapabilityNotSupportedError(MinkError):
    """The adapter does not offer a capability.

    Attributes:
        adapter: The adapter's name.
        capability: What was asked of it.
    """

    def __init__(self, adapter: str, capability: Capability, hint: str = "") -> None:
        """Keep both; `hint` says how to get the capability, where there is a way."""
        super().__init__(
            f"the {adapter} adapter does not offer {capability.name}{hint and ': ' + hint}; nothing was done"
        )
        self.adapter = adapter
        self.capability = capability


class AdapterError(MinkError):
    """No adapter could be chosen for a URL."""


class UnknownAdapterError(AdapterError, LookupError):
    """No adapter is registered for a URL's scheme.

    Attributes:
        scheme: The scheme that was asked for.
        known: The schemes that are registered.
    """

    def __init__(self, scheme: str, known: Sequence[str]) -> None:
        """Keep the scheme and the known ones."""
        super().__init__(
            f"no adapter is registered for {scheme + '://'!r}; known are: {', '.join(name + '://' for name in known)}"
        )
        self.scheme = scheme
        self.known = tuple(known)


class AdapterNotInstalledError(AdapterError, ImportError):
    """An adapter is known, but what it needs is not installed.

    Attributes:
        scheme: The scheme that was asked for.
        extra: The pip extra that installs what is missing.
    """

    def __init__(self, scheme: str, extra: str, missing: str) -> None:
        """Keep the scheme and the extra; `missing` is the module that was not found."""
        super().__init__(
            f"{scheme}:// needs {missing!r}, which is not installed: pip install 'mink-eventstore[{extra}]'"
        )
        self.scheme = scheme
        self.extra = extra


class StorageError(MinkError):
    """The storage failed, and trying again is not expected to help.

    Attributes:
        sqlstate: The database's five-character error code, where it has one.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        """Keep the code beside the message."""
        super().__init__(message)
        self.sqlstate = sqlstate


class TransientStorageError(StorageError):
    """The storage failed for the moment. Nothing was stored; the same call may be retried."""


class OutcomeUnknownError(StorageError):
    """The reply was lost: the call may or may not have been stored.

    Attributes:
        retry_is_safe: Whether the same call, made again with the same arguments (event ids too), takes effect
            at most once. A repeated append then gives the first one's result (APPEND-09); other calls may tell
            a conflict with what the first one did.
    """

    def __init__(self, message: str, *, retry_is_safe: bool, sqlstate: str | None = None) -> None:
        """Add to the message what the caller may do."""
        what = (
            "repeat the same call, an append with the same events: it takes effect at most once"
            if retry_is_safe
            else "repeated, it could take effect twice: look first whether it was stored"
        )
        super().__init__(f"{message}; {what}", sqlstate=sqlstate)
        self.retry_is_safe = retry_is_safe
