"""Giving events to the handler: what both ways have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any

from mink_core.cancelled import failure_of
from mink_core.capability import Capability
from mink_core.errors import HandlerCancelledError, HandlerFailedError, LeaseLostError
from mink_core.errors.root import words_of
from mink_core.handling import NextStep, SubscriptionFailure, WhenExhausted
from mink_core.runtime.doors import within
from mink_core.runtime.failures import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.events import StoredEvent
    from mink_core.leases import Lease
    from mink_core.runtime.doors import Door
    from mink_core.runtime.progress import Progress
    from mink_core.runtime.settings import SubscriptionSettings
    from mink_core.runtime.steps import Steps


class HandlerError(Exception):
    """What the handler raised, or why what it did cannot be committed, and on which of the events that it was given."""

    def __init__(self, index: int, error: Exception, *, spared: bool = False) -> None:
        """Keep them."""
        super().__init__()
        self.index = index
        self.error = error
        self.spared = spared
        """Whether the transaction could have gone on: nothing of the storage was to blame."""


class Delivery(ABC):
    """What both kinds have in common: retries, and what comes after them."""

    def __init__(
        self, store: Any, door: Door, settings: SubscriptionSettings, lease: Lease, progress: Progress
    ) -> None:
        """Deliver nothing yet."""
        self.halt = door.signal()
        """Set to end after the event that is being handled."""
        self.in_handler = False
        """Whether the handler may be running at this moment."""
        self.may_work: Callable[[], bool] = lambda: not self.halt.is_set()
        self._store = store
        self._door = door
        self._settings = settings
        self._lease = lease
        self._progress = progress
        self._has_transactions = Capability.TRANSACTIONS in store.capabilities

    @abstractmethod
    def deliver(self, events: Sequence[StoredEvent]) -> Steps[None]:
        """Handle events in order and save; fewer of them where it is to end."""

    @abstractmethod
    def replay(self, event: StoredEvent) -> Steps[None]:
        """Handle a parked event, and let go of it.

        Raises:
            HandlerError: The handler failed.
        """

    def call(self, *arguments: Any) -> Steps[None]:
        """Call the handler."""
        try:
            self.in_handler = True
            outcome = self._settings.handler(*arguments)
            if outcome is not None:
                yield outcome
        except CancelledError as error:
            raise failure_of(error, "handler", HandlerCancelledError) from error
        finally:
            self.in_handler = False

    def failed(self, event: StoredEvent, error: Exception, attempt: int) -> Steps[bool]:
        """Wait for the next try, or end the event's handling.

        Returns:
            Whether the event is done with, as it was parked.

        Raises:
            HandlerFailedError: It was tried often enough, and the subscription stops.
            LeaseLostError: It was not, but the consumer is to end.
        """
        retry = self._settings.retry
        if attempt <= retry.retries:
            wait = retry.wait_after(attempt)
            self.tell(error, event, attempt, NextStep.RETRY, wait)
            yield self.halt.wait(wait)
            if not self.may_work():
                raise LeaseLostError(self._progress.name, self._lease.token)
            return False
        said = f"{type(error).__name__}: {words_of(error)}"
        if retry.then is WhenExhausted.STOP:
            self.tell(error, event, attempt, NextStep.STOP)
            raise HandlerFailedError(
                self._settings.name, event.global_position, event.event_type, attempt, said
            ) from error
        position = event.global_position
        # Parked and gone past, both or neither; a worker that lost its lease does neither.
        yield from self.park(event, attempt, said, position)
        self._progress.moved(position)
        self.tell(error, event, attempt, NextStep.PARK)
        return True

    def park(self, event: StoredEvent, attempts: int, said: str, position: int) -> Steps[None]:
        """Keep an event and save a position, in one transaction where the adapter has them."""

        def work(target: Any) -> Steps[None]:
            yield target.parked.park(self._settings.name, event, attempts=attempts, error=said)
            yield self._progress.save_on(target, position)

        if self._has_transactions:
            yield from within(self._door, self._store.transaction(), work)
        else:
            yield from work(self._store)

    def tell(
        self, error: Exception, event: StoredEvent | None, attempt: int, next_step: NextStep, wait: float = 0
    ) -> None:
        """Tell of a failure."""
        failure = SubscriptionFailure(
            self._settings.name, self._lease.partition, error, event, attempt, next_step, wait
        )
        tell(failure, self._settings.on_error)
