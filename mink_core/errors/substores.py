"""Refusals of the stores around the log, and of the workers on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors.root import MinkError

if TYPE_CHECKING:
    from uuid import UUID


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

    What the handler raised last is the error's cause, a `HandlerCancelledError` where that was a cancellation of its
    own. The checkpoint is before the event, which is the first to be handled when a worker starts again.

    Attributes:
        subscription: The subscription's name.
        position: The event's global position.
        attempts: How often it was tried.
    """

    def __init__(self, subscription: str, position: int, event_type: str, attempts: int, cause: str) -> None:
        """Keep the facts and say them in one sentence."""
        super().__init__(
            f"subscription {subscription!r} has stopped: its handler failed {attempts} {'time' if attempts == 1 else 'times'} on the {event_type} at "
            f"position {position} ({cause}); everything before it is done: mend the handler and start the worker "
            "again, or let it park what it fails on"
        )
        self.subscription = subscription
        self.position = position
        self.attempts = attempts


class HandlerCancelledError(MinkError):
    """A subscription's handler ended with `asyncio.CancelledError`, though nobody had cancelled its worker.

    A client library cancels futures of its own where it gives up a request. It is the event's failure like any
    other, and the `CancelledError` is its cause.
    """


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
