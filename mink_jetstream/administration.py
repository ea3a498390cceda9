"""The administration of a JetStream store, over one connection of its own."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from mink_core.administration import SchemaStatus, SchemaStep, StoreStatistics
from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError, SchemaError, UsageError
from mink_jetstream.async_store import AsyncJetStreamEventStore
from mink_jetstream.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mink_core.administration import Access, Administration, Diagnosis, StreamMark
    from mink_core.events import StoredEvent
    from mink_core.limits import Limits
    from mink_jetstream.options import Options

_STEP = "streams"


class JetStreamAdministration:
    """See `mink_core.administration.Administration`."""

    def __init__(self, portal: Portal, store: AsyncJetStreamEventStore) -> None:
        """Work through a store that is open."""
        self._portal = portal
        self._store = store
        self._importing = store.importing()

    @property
    def limits(self) -> Limits:
        """What an import stores at once."""
        return self._store.limits

    def schema_status(self) -> SchemaStatus:
        """See `Administration.schema_status`: there is one layout."""
        try:
            created = self._portal.run(self._store.created_at())
        except SchemaError:
            created = None
        return SchemaStatus(int(created is not None), 1, (SchemaStep(1, _STEP, 1, created, known=True),))

    def migrate(self) -> list[str]:
        """See `Administration.migrate`."""
        pending = self.schema_status().pending
        self._portal.run(self._store.initialize())
        return [step.name for step in pending]

    def partition(self, partitions: int, progress: Callable[[int, int], object] | None = None) -> NoReturn:
        """Refused: a stream has its events in one file after the other, however many there are."""
        del partitions, progress
        msg = "a JetStream store has no partitions of its storage: keep a store for each category; nothing was changed"
        raise UsageError(msg)

    def change_payloads(self, json_type: str, progress: Callable[[int, int], object] | None = None) -> NoReturn:
        """Refused: a message holds its event as it was sent."""
        del json_type, progress
        msg = (
            "a JetStream store keeps payloads as they were written, and has no other type for them; nothing was changed"
        )
        raise UsageError(msg)

    def migration_script(self) -> str:
        """See `Administration.migration_script`; what `migrate` does cannot be written as one."""
        return ""

    def grants_script(self, role: str, access: Sequence[Access]) -> NoReturn:
        """Refused: a NATS user's permissions stand in the servers' configuration, or in its JWT."""
        del role, access
        msg = "permissions of NATS users are set in the servers' configuration or in JWTs, not by a store; nothing was changed"
        raise UsageError(msg)

    def grant(self, role: str, access: Sequence[Access]) -> None:
        """Refused; see `grants_script`."""
        self.grants_script(role, access)

    def diagnose(self, *, max_lag: float = 60.0) -> Sequence[Diagnosis]:
        """See `Administration.diagnose`."""
        return self._portal.run(self._store.diagnose(max_lag))

    def import_events(self, events: Sequence[StoredEvent]) -> int:
        """See `Administration.import_events`; at most `limits.call_events` at once."""
        return self._portal.run(self._importing.store(events))

    def stream_marks(self) -> list[StreamMark]:
        """None: there are no privacy operations here."""
        return []

    def import_marks(self, marks: Sequence[StreamMark]) -> None:
        """Refused where there are any; see `check_marks`."""
        self.check_marks(len(marks))

    def check_marks(self, count: int) -> None:
        """Refused where there are any: what was hidden would be read again."""
        if count:
            hint = f"{count} streams were deleted, purged or closed where they come from: leave them out of the export"
            raise CapabilityNotSupportedError(self._store.adapter_name, Capability.PRIVACY, hint)

    def statistics(self) -> StoreStatistics:
        """See `Administration.statistics`."""
        return self._portal.run(self._store.statistics(timedelta(minutes=1), timedelta(hours=1)))


@contextmanager
def administered(options: Options) -> Generator[Administration]:
    """Connect, and let go at the end.

    Raises:
        StorageError: The servers cannot be reached; says why.
    """
    portal, store = Portal(), AsyncJetStreamEventStore(options)
    try:
        portal.run(store.open())
        yield JetStreamAdministration(portal, store)
    finally:
        portal.close(store.close())
