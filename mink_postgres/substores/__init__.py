"""The stores around the log: each a facade over the same programs as everything else.

A store and a transaction inherit `PostgresSubStores` (or its async twin), by way of the log, and so have every one of
them; what a sub-store does inside a transaction is committed with it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, TypeVar

from mink_core.runtime.substores import SubStores
from mink_postgres.substores.checkpoints import AsyncPostgresCheckpoints, PostgresCheckpoints
from mink_postgres.substores.idempotency import AsyncPostgresIdempotency, PostgresIdempotency
from mink_postgres.substores.outbox import AsyncPostgresOutbox, PostgresOutbox
from mink_postgres.substores.parked import AsyncPostgresParkedEvents, PostgresParkedEvents
from mink_postgres.substores.sagas import AsyncPostgresSagas, PostgresSagas
from mink_postgres.substores.snapshots import AsyncPostgresSnapshots, PostgresSnapshots
from mink_postgres.substores.subscriptions import AsyncPostgresSubscriptions, PostgresSubscriptions

if TYPE_CHECKING:
    from mink_postgres.context import Context
    from mink_postgres.query import Program

T = TypeVar("T")


class PostgresSubStores(SubStores):
    """The sub-stores that this adapter has; the others stay refused."""

    _context: Context

    @abstractmethod
    def _run(self, program: Program[T]) -> T:
        """Run one program on one connection."""

    @property
    def checkpoints(self) -> PostgresCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return PostgresCheckpoints(self._context, self._run)

    @property
    def snapshots(self) -> PostgresSnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return PostgresSnapshots(self._context, self._run)

    @property
    def outbox(self) -> PostgresOutbox:
        """Messages to publish (`Capability.OUTBOX`)."""
        return PostgresOutbox(self._context, self._run)

    @property
    def idempotency(self) -> PostgresIdempotency:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        return PostgresIdempotency(self._context, self._run)

    @property
    def sagas(self) -> PostgresSagas:
        """Sagas by id (`Capability.SAGAS`)."""
        return PostgresSagas(self._context, self._run)

    @property
    def subscriptions(self) -> PostgresSubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return PostgresSubscriptions(self._context, self._run)

    @property
    def parked(self) -> PostgresParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return PostgresParkedEvents(self._context, self._run)


class AsyncPostgresSubStores(SubStores):
    """`PostgresSubStores` for asyncio."""

    _context: Context

    @abstractmethod
    async def _run(self, program: Program[T]) -> T:
        """Run one program on one connection."""

    @property
    def checkpoints(self) -> AsyncPostgresCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return AsyncPostgresCheckpoints(self._context, self._run)

    @property
    def snapshots(self) -> AsyncPostgresSnapshots:
        """Snapshots by stream (`Capability.SNAPSHOTS`)."""
        return AsyncPostgresSnapshots(self._context, self._run)

    @property
    def outbox(self) -> AsyncPostgresOutbox:
        """Messages to publish (`Capability.OUTBOX`)."""
        return AsyncPostgresOutbox(self._context, self._run)

    @property
    def idempotency(self) -> AsyncPostgresIdempotency:
        """Keys of work to be done once (`Capability.IDEMPOTENCY`)."""
        return AsyncPostgresIdempotency(self._context, self._run)

    @property
    def sagas(self) -> AsyncPostgresSagas:
        """Sagas by id (`Capability.SAGAS`)."""
        return AsyncPostgresSagas(self._context, self._run)

    @property
    def subscriptions(self) -> AsyncPostgresSubscriptions:
        """Durable subscriptions: leases, pause, rewind, lag (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncPostgresSubscriptions(self._context, self._run)

    @property
    def parked(self) -> AsyncPostgresParkedEvents:
        """Events that a subscription's handler failed on (`Capability.DURABLE_SUBSCRIPTIONS`)."""
        return AsyncPostgresParkedEvents(self._context, self._run)
