"""Sagas: the state of long-running work, saved by compare-and-set (rule SAGA)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID  # noqa: TC003 -- as above

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HANDLED = 256
"""Ids of handled events that a saga remembers, the newest."""
MAX_CLAIMS = 10
"""Claims of a due saga without a save before it is `STUCK`, unless told otherwise."""


class SagaStatus(Enum):
    """Where a saga stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    STUCK = "stuck"
    """Claimed as due again and again without being saved: set by the store, waits for an operator."""


class Saga(msgspec.Struct, frozen=True):
    """A saga's state. Give a changed copy to `save`: `msgspec.structs.replace(saga, state=…)`."""

    saga_id: str
    """1 to 500 characters."""
    saga_type: str
    """1 to 500 characters."""
    state: Any = None
    """Any JSON value."""
    status: SagaStatus = SagaStatus.RUNNING
    correlation_id: str | None = None
    """1 to 500 characters: what its events have in common, the id of a stream for example."""
    due_at: datetime | None = None
    """When it wants to be claimed, aware, within the years 1 to 9999 of UTC: a time-out."""
    handled: tuple[UUID, ...] = ()
    """Ids of the events it has handled, newest last; `save` keeps the last `MAX_HANDLED`."""

    def has_handled(self, event_id: UUID) -> bool:
        """Whether the event is among those it remembers."""
        return event_id in self.handled


class StoredSaga(Saga, frozen=True, kw_only=True):
    """A saga as it is stored."""

    version: int
    """From 1, one more at each save and claim: give it to the next `save`."""
    claims: int
    """How often it was claimed as due since it was last saved."""
    created_at: datetime
    updated_at: datetime
    """Aware, in UTC, by the storage's clock."""


class SagaStore(Protocol):
    """Sagas by id. Also on a transaction, where they are saved with everything else in it.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.SAGAS`.
    """

    def save(self, saga: Saga, *, expected_version: int) -> StoredSaga:
        """Save a saga, if it has the version that the caller believes (SAGA-01).

        Args:
            saga: The new state, whole.
            expected_version: The version it has now; 0 to create it.

        Raises:
            SagaConflictError: It has another version, does not exist, or was deleted; nothing was changed.
        """
        ...

    def load(self, saga_id: str) -> StoredSaga | None:
        """The saga; None where there is none, or it was deleted."""
        ...

    def find(
        self,
        *,
        correlation_id: str | None = None,
        saga_type: str | None = None,
        statuses: Sequence[SagaStatus] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[StoredSaga]:
        """Sagas that have all of what was asked for, in code point order of their ids, after `after`."""
        ...

    def claim_due(
        self, *, limit: int = 100, lease: float = 30.0, saga_type: str | None = None, max_claims: int = MAX_CLAIMS
    ) -> Sequence[StoredSaga]:
        """Take sagas whose `due_at` has come, by the server's clock, for this caller alone.

        Each gets a new version, so that whoever had it before can no longer save it, and is due again
        when the lease ends, unless it was saved. One that was claimed `max_claims` times without a
        save becomes `STUCK` instead.
        """
        ...

    def delete(self, saga_id: str, *, expected_version: int) -> None:
        """Delete a saga for good: its id cannot be used again, and its state is gone.

        Raises:
            SagaConflictError: It has another version, does not exist, or was deleted before.
        """
        ...


class AsyncSagaStore(Protocol):
    """`SagaStore` for asyncio."""

    async def save(self, saga: Saga, *, expected_version: int) -> StoredSaga:
        """See `SagaStore.save`."""
        ...

    async def load(self, saga_id: str) -> StoredSaga | None:
        """See `SagaStore.load`."""
        ...

    async def find(
        self,
        *,
        correlation_id: str | None = None,
        saga_type: str | None = None,
        statuses: Sequence[SagaStatus] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[StoredSaga]:
        """See `SagaStore.find`."""
        ...

    async def claim_due(
        self, *, limit: int = 100, lease: float = 30.0, saga_type: str | None = None, max_claims: int = MAX_CLAIMS
    ) -> Sequence[StoredSaga]:
        """See `SagaStore.claim_due`."""
        ...

    async def delete(self, saga_id: str, *, expected_version: int) -> None:
        """See `SagaStore.delete`."""
        ...
