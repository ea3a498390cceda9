"""Giving events to the handler at least once: the checkpoint follows what it did."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

from mink_core.cancelled import failure_of
from mink_core.errors import (
    HandlerCancelledError,
    HandlerFailedError,
    LeaseLostError,
    MinkError,
    StorageError,
    StoreClosedError,
)
from mink_core.runtime.delivery import Delivery, HandlerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoredEvent
    from mink_core.runtime.steps import Steps


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
                except CancelledError as error:
                    yield from self._again(event, failure_of(error, "handler", HandlerCancelledError))
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
            if (yield from self.failed(event, error, attempt)):
                break
            try:
                yield from self.call(event)
            except Exception as again:  # noqa: BLE001 -- as above
                error = again
                attempt += 1
            else:
                break
        self.in_handler = True

    def replay(self, event: StoredEvent) -> Steps[None]:
        """See `Delivery.replay`."""
        try:
            yield from self.call(event)
        except Exception as error:
            yield self._store.ping()
            raise HandlerError(0, error) from error
        yield self._store.parked.remove(self._settings.name, event.global_position)
