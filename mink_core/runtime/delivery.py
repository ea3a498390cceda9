"""Giving events to the handler: at least once, or exactly once with the checkpoint in one transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mink_core.capability import Capability
from mink_core.errors import (
    HandlerFailedError,
    LeaseLostError,
    MinkError,
    OutcomeUnknownError,
    SchemaError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
)
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

    def __init__(self, index: int, error: Exception) -> None:
        """Keep both."""
        super().__init__()
        self.index = index
        self.error = error


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
        said = f"{type(error).__name__}: {error}"
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


class AtLeastOnce(Delivery):
    """The handler's effects are its own affair: after a crash, events since the checkpoint come again."""

    def deliver(self, events: Sequence[StoredEvent]) -> Steps[None]:
        """See `Delivery.deliver`."""
        handler, progress = self._settings.handler, self._progress
        try:
            self.in_handler = True
            for event in events:
                if not self.may_work():
                    break
                try:  # not by `call`: a replay's speed is made here
                    outcome = handler(event)
                    if outcome is not None:
                        yield outcome
                except Exception as error:  # noqa: BLE001 -- whatever a handler raises
                    yield from self._again(event, error)
                progress.position = event.global_position
        except (HandlerFailedError, LeaseLostError):
            yield from progress.save()
            raise
        except (GeneratorExit, StorageError, StoreClosedError):
            raise  # nobody is there to take a step any more, or nothing to save on
        except BaseException:
            self.in_handler = False
            with suppress(MinkError):  # what was raised is not lost for an error of the save
                yield from progress.save()
            raise
        finally:
            self.in_handler = False
        yield from progress.save()

    def _again(self, event: StoredEvent, error: Exception) -> Steps[None]:
        """Until it is handled or parked."""
        attempt = 1
        while True:
            self.in_handler = False
            yield self._store.ping()  # a storage that is down is not the event's fault
            parked = yield from self.failed(event, error, attempt)
            self.in_handler = True
            if parked:
                return
            try:
                outcome = self._settings.handler(event)
                if outcome is not None:
                    yield outcome
            except Exception as again:  # noqa: BLE001 -- as above
                error = again
                attempt += 1
            else:
                return

    def replay(self, event: StoredEvent) -> Steps[None]:
        """See `Delivery.replay`."""
        try:
            yield from self.call(event)
        except Exception as error:
            yield self._store.ping()
            raise HandlerError(0, error) from error
        yield self._store.parked.remove(self._settings.name, event.global_position)


class ExactlyOnce(Delivery):
    """Effects and checkpoint in one transaction; a bad event costs those around it only further tries."""

    def deliver(self, events: Sequence[StoredEvent]) -> Steps[None]:
        """See `Delivery.deliver`."""
        done = 0
        bad: HandlerError | None = None
        while done < len(events) and self.may_work():
            if bad is not None and bad.index == done:
                yield from self._alone(events[done], bad.error)
                done, bad = done + 1, None
                continue
            try:
                # First what comes before a bad one, so that it is done whatever becomes of that.
                done += yield from self._transact(events[done : None if bad is None else bad.index])
            except HandlerError as failed:
                bad = HandlerError(done + failed.index, failed.error)

    def _alone(self, event: StoredEvent, error: Exception) -> Steps[None]:
        attempt = 1
        while not (yield from self.failed(event, error, attempt)):
            try:
                if (yield from self._transact([event])):
                    return
            except HandlerError as failed:
                error = failed.error
                attempt += 1
            else:
                raise LeaseLostError(self._progress.name, self._lease.token)

    def _transact(self, events: Sequence[StoredEvent]) -> Steps[int]:
        """All or nothing; gives how many, fewer than asked where it is to end, or where not all can be committed."""
        count = 0

        def work(tx: Any) -> Steps[None]:
            nonlocal count
            for event in events:
                if not self.may_work():
                    break
                yield from self._handle(tx, event, count)
                count += 1
            if count:
                yield self._progress.save_on(tx, events[count - 1].global_position)

        try:
            yield from within(self._door, self._store.transaction(), work)
        except (StorageError, SchemaError) as error:
            if not count:
                raise
            yield from self._check_storage(error)
            if count == 1:
                raise HandlerError(0, error) from error
        else:
            if count:
                self._progress.moved(events[count - 1].global_position)
            return count
        return (yield from self._transact(events[: count // 2]))  # until it is known whose fault it is

    def _check_storage(self, error: MinkError) -> Steps[None]:
        """Return where a commit failed for what the handler did in it: without that, it is done.

        Raises:
            MinkError: It is not the handler's fault.
        """
        for found in (error, error.__cause__):  # the cause: what ended the transaction, and the handler hid
            if isinstance(found, TransientStorageError | OutcomeUnknownError):
                raise found

        def work(tx: Any) -> Steps[None]:
            yield self._progress.fence_on(tx)

        yield from within(self._door, self._store.transaction(), work)

    def _handle(self, tx: Any, event: StoredEvent, index: int) -> Steps[None]:
        try:
            yield from self.call(event, tx)
        except TransientStorageError:
            raise  # the storage's word that nothing is wrong with the event
        except Exception as error:
            try:
                yield tx.checkpoints.load(self._progress.name)
            except TransientStorageError as lost:
                raise lost from error  # the connection is gone: not the event's fault either
            except (StorageError, StoreClosedError):
                pass  # a statement of the handler's own has failed, and with it the transaction
            raise HandlerError(index, error) from error

    def replay(self, event: StoredEvent) -> Steps[None]:
        """See `Delivery.replay`."""
        handled = False

        def work(tx: Any) -> Steps[None]:
            nonlocal handled
            yield self._progress.fence_on(tx)
            if (yield tx.parked.remove(self._settings.name, event.global_position)):
                yield from self._handle(tx, event, 0)
                handled = True

        try:
            yield from within(self._door, self._store.transaction(), work)
        except (StorageError, SchemaError) as error:
            if not handled:
                raise
            yield from self._check_storage(error)
            raise HandlerError(0, error) from error
