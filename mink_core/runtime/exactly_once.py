"""Giving events to the handler exactly once: what it does and the checkpoint are one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.errors import (
    LeaseLostError,
    MinkError,
    OutcomeUnknownError,
    SchemaError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
)
from mink_core.runtime.delivery import Delivery, HandlerError
from mink_core.runtime.doors import within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoredEvent
    from mink_core.runtime.steps import Steps

_MOST_PAGES = 64
"""Of events that are taken one by one, before sharing is tried again."""


class ExactlyOnce(Delivery):
    """Effects and checkpoint in one transaction; a bad event costs those around it only further tries.

    Where the storage ended a transaction of several events, a page's worth of them is taken one by one, and twice as many each
    time that sharing fails again. What a handler locks it holds until the commit: partitions whose events write to the same
    rows, many in a transaction, end each other's in deadlocks, of which each takes a second to be found.
    """

    _lone = 0
    """How many events are yet to be taken one by one."""
    _penalty = 0
    """How many were to be when a transaction failed last; 0 once one of several did not."""

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
                upto = len(events) if bad is None else bad.index
                done += yield from self._transact(events[done : done + 1 if self._lone else upto])
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
        shared = len(events) > 1
        try:
            count = yield from self._commit(events)
        except (HandlerError, TransientStorageError) as error:
            if shared and not (isinstance(error, HandlerError) and error.spared):
                size = self._settings.batch_size
                self._lone = self._penalty = min(max(size, 2 * self._penalty), _MOST_PAGES * size)
            raise
        self._lone = max(0, self._lone - count)
        if shared and count == len(events):
            self._penalty = 0
        return count

    def _commit(self, events: Sequence[StoredEvent]) -> Steps[int]:
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
            spared = True
            try:
                yield tx.checkpoints.load(self._progress.name)
            except TransientStorageError as lost:
                raise lost from error  # the connection is gone: not the event's fault either
            except (StorageError, StoreClosedError):
                spared = False  # a statement of the handler's own has failed, and with it the transaction
            raise HandlerError(index, error, spared=spared) from error

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
