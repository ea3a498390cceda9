"""Connections that break, and stores that make the wrong thing of it. On a store that offers a fault injector."""

from __future__ import annotations

from typing import Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.members.following import Followed, Following
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, ExpectedVersion, NewEvent, OutcomeUnknownError, StorageError, TransientStorageError

FAULTS = ["fault_injector"]


class _GivesUp(Following):
    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StorageError:
            self.close()
            raise StopIteration from None


@breaks("SUB-03", needs=[Capability.SUBSCRIBE], hooks=FAULTS)
class EndsWithItsConnection(Followed):
    """A subscription whose connection is lost ends as if it were closed."""

    kind = _GivesUp


class _Skips(Following):
    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StorageError:
            self._position = self.store.head_position()
            raise


@breaks("SUB-03", needs=[Capability.SUBSCRIBE], hooks=FAULTS)
class GoesOnAtTheHead(Followed):
    """A subscription whose connection is lost goes on with what is new: what came in between is skipped."""

    kind = _Skips


@breaks("APPEND-09", hooks=FAULTS)
class RepeatsWithNewIds(Wrapped):
    """Repeats an append whose reply was lost by itself, with new event ids: it is stored twice."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        events = list(events)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except OutcomeUnknownError:
            again = [NewEvent(event.event_type, event.data, event.metadata) for event in events]
            return self.store.append(stream_id, again, expected_version=ExpectedVersion.ANY)


@breaks("APPEND-09", hooks=FAULTS)
class LostReplyIsTransient(Wrapped):
    """Tells of a lost reply that nothing was stored."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except OutcomeUnknownError as error:
            msg = "the connection was lost; nothing was stored"
            raise TransientStorageError(msg) from error


@breaks("APPEND-09", hooks=FAULTS)
class AlwaysSafeToRepeat(Wrapped):
    """Tells that a repeat is safe, under ANY as well."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except OutcomeUnknownError as error:
            msg = "the reply was lost"
            raise OutcomeUnknownError(msg, retry_is_safe=True) from error


@breaks("LIFE-03", "TX-02", hooks=["borrowing"])
class ClosesWhatIsLent(Wrapped):
    """Closes the connections that it was lent."""

    def __init__(self, store: Any, shared: Any, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        self.lender = shared.facts.get("lender")

    def close(self) -> None:
        super().close()
        if self.lender is not None:
            self.lender.close()
