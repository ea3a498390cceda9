"""`store.sagas`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.limits import check_count, check_text
from mink_core.prepare_substores.sagas import check_claim_due, check_find, prepare_saga
from mink_core.sagas import MAX_CLAIMS, Saga, SagaStatus, StoredSaga
from mink_memory.changes import sagas
from mink_memory.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemorySagas(SubStore):
    """See `mink_core.SagaStore`."""

    def save(self, saga: Saga, *, expected_version: int) -> StoredSaga:
        """See `SagaStore.save`."""
        return self._run(sagas.save(prepare_saga(saga, expected_version)))

    def load(self, saga_id: str) -> StoredSaga | None:
        """See `SagaStore.load`."""
        return self._run(sagas.load(check_text(saga_id, "saga id")))

    def find(
        self,
        *,
        correlation_id: str | None = None,
        saga_type: str | None = None,
        statuses: Sequence[SagaStatus] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[StoredSaga]:
        """See `SagaStore.find`."""
        check_find(correlation_id, saga_type, statuses, after, limit)
        return self._run(sagas.find(correlation_id, saga_type, statuses, after, limit))

    def claim_due(
        self, *, limit: int = 100, lease: float = 30.0, saga_type: str | None = None, max_claims: int = MAX_CLAIMS
    ) -> Sequence[StoredSaga]:
        """See `SagaStore.claim_due`."""
        check_claim_due(limit, lease, saga_type, max_claims)
        return self._run(sagas.claim_due(limit, lease, saga_type, max_claims))

    def delete(self, saga_id: str, *, expected_version: int) -> None:
        """See `SagaStore.delete`."""
        check_count(expected_version, "expected_version")
        self._run(sagas.delete(check_text(saga_id, "saga id"), expected_version))


class AsyncMemorySagas(AsyncSubStore):
    """See `mink_core.AsyncSagaStore`."""

    async def save(self, saga: Saga, *, expected_version: int) -> StoredSaga:
        """See `SagaStore.save`."""
        return await self._run(sagas.save(prepare_saga(saga, expected_version)))

    async def load(self, saga_id: str) -> StoredSaga | None:
        """See `SagaStore.load`."""
        return await self._run(sagas.load(check_text(saga_id, "saga id")))

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
        check_find(correlation_id, saga_type, statuses, after, limit)
        return await self._run(sagas.find(correlation_id, saga_type, statuses, after, limit))

    async def claim_due(
        self, *, limit: int = 100, lease: float = 30.0, saga_type: str | None = None, max_claims: int = MAX_CLAIMS
    ) -> Sequence[StoredSaga]:
        """See `SagaStore.claim_due`."""
        check_claim_due(limit, lease, saga_type, max_claims)
        return await self._run(sagas.claim_due(limit, lease, saga_type, max_claims))

    async def delete(self, saga_id: str, *, expected_version: int) -> None:
        """See `SagaStore.delete`."""
        check_count(expected_version, "expected_version")
        await self._run(sagas.delete(check_text(saga_id, "saga id"), expected_version))
