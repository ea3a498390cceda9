"""How a durable subscription is run: its options, its retries, and what it tells of failures."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import msgspec

from mink_core.backoff import Backoff
from mink_core.errors import UsageError
from mink_core.events import StoredEvent  # noqa: TC001 -- looked up at run time by get_type_hints

if TYPE_CHECKING:
    from mink_core.filters import EventFilter


class WhenExhausted(Enum):
    """What a subscription does with an event that its handler failed on each time."""

    STOP = "stop"
    """The worker ends with `HandlerFailedError`; the event is the first that is handled again."""
    PARK = "park"
    """The event is kept in `store.parked`, and the subscription goes on with the next."""


class NextStep(Enum):
    """What comes after a failure."""

    RETRY = "retry"
    """The same event again, after a wait."""
    PARK = "park"
    """The event was parked."""
    STOP = "stop"
    """The worker ends."""
    LOST = "lost"
    """Another worker has the partition: what this one was about to save was refused."""
    RECONNECT = "reconnect"
    """The storage failed, the handler did not: all goes on from the checkpoint once it answers."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a handler is tried again, and what then.

    Raises:
        UsageError: When made with a number that cannot be.
    """

    retries: int = 5
    """Further tries after the first, each after a wait."""
    first_wait: float = 0.1
    """Seconds before the first retry at most; doubled for each further one."""
    longest_wait: float = 30.0
    """Seconds before any retry at most. Each wait is spread by a random factor of 0.5 to 1."""
    then: WhenExhausted = WhenExhausted.STOP

    def __post_init__(self) -> None:
        """Check the numbers."""
        if type(self.retries) is not int or self.retries < 0:
            msg = f"retries must be an int of at least 0, not {self.retries!r:.60}"
            raise UsageError(msg)
        if not 0 < self.first_wait <= self.longest_wait < float("inf"):
            msg = f"waits must be 0 < first_wait <= longest_wait: {self.first_wait!r:.40}, {self.longest_wait!r:.40}"
            raise UsageError(msg)
        if not isinstance(self.then, WhenExhausted):
            msg = f"then must be a WhenExhausted, not {self.then!r:.60}"
            raise UsageError(msg)

    def wait_after(self, attempt: int) -> float:
        """Seconds to wait after so many failed attempts."""
        return Backoff(self.first_wait, most=self.longest_wait).delay(attempt)


class SubscriptionFailure(msgspec.Struct, frozen=True):
    """What `on_error` is told."""

    subscription: str
    partition: int | None
    """None where the worker as a whole failed to reach the storage."""
    error: Exception
    event: StoredEvent | None
    """What the handler failed on; None where the storage failed."""
    attempt: int
    """How many times in a row it has failed, from 1."""
    next_step: NextStep
    wait: float
    """Seconds until then."""


OnError: TypeAlias = Callable[[SubscriptionFailure], object]


class SubscriptionOptions(TypedDict, total=False):
    """What `store.subscription` may be told, by keyword."""

    where: EventFilter
    """Which events; without, all."""
    partitions: int
    """Shares of the streams that workers split among them, each in order; without, 1. Fixed until `reset`."""
    after_position: int | None
    """Where a subscription begins that has no checkpoint yet: exclusive; without, 0. None: with what comes from now on."""
    batch_size: int
    """Events between two checkpoints at most; without, 500."""
    poll_interval: float
    """Seconds between polls of a feed in which nothing happens; without, 0.1. Shorter after an event."""
    lease_seconds: float
    """How long a worker that is silent keeps its partitions; without, 10."""
    retry: RetryPolicy
    """What is done about a handler that fails."""
    on_error: OnError | None
    """A plain function, called with each failure in the worker's thread or task; it must not block."""
