"""`store.outbox`, sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.outbox import LEASE, ClaimedMessage, MessageStatus, OutboxMessage, StoredMessage, Verdict
from mink_core.prepare_substores.outbox import (
    check_claim,
    check_list,
    check_message_id,
    check_purge,
    prepare_messages,
    prepare_verdicts,
)
from mink_memory.changes import outbox
from mink_memory.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID


class MemoryOutbox(SubStore):
    """See `mink_core.OutboxStore`."""

    def add(self, messages: OutboxMessage | Iterable[OutboxMessage]) -> None:
        """See `OutboxStore.add`."""
        if prepared := prepare_messages(messages):
            self._run(outbox.add(prepared))

    def claim(self, worker: str, *, limit: int = 100, lease: float = LEASE) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.claim`."""
        check_claim(worker, limit, lease)
        return self._run(outbox.claim(worker, limit, lease))

    def settle(self, verdicts: Iterable[Verdict]) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.settle`."""
        return self._run(outbox.settle(prepare_verdicts(verdicts)))

    def complete(self, message: ClaimedMessage) -> None:
        """See `OutboxStore.complete`."""
        self._run(outbox.settle_one(prepare_verdicts(Verdict(message))))

    def fail(
        self, message: ClaimedMessage, error: str, *, retry_in: float | None = None, give_up: bool = False
    ) -> None:
        """See `OutboxStore.fail`."""
        verdict = Verdict(message, error, retry_in, give_up)
        self._run(outbox.settle_one(prepare_verdicts(verdict)))

    def get(self, message_id: UUID) -> StoredMessage | None:
        """See `OutboxStore.get`."""
        check_message_id(message_id)
        return self._run(outbox.get(message_id))

    def list(self, *, status: MessageStatus | None = None, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """See `OutboxStore.list`."""
        check_list(status, after, limit)
        return self._run(outbox.list_by(status, after, limit))

    def dead_letters(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """See `OutboxStore.dead_letters`."""
        return self.list(status=MessageStatus.DEAD, after=after, limit=limit)

    def requeue(self, message_id: UUID) -> bool:
        """See `OutboxStore.requeue`."""
        check_message_id(message_id)
        return self._run(outbox.requeue(message_id))

    def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        """See `OutboxStore.purge`."""
        check_purge(older_than, dead, limit)
        return self._run(outbox.purge(older_than, limit, dead=dead))


class AsyncMemoryOutbox(AsyncSubStore):
    """See `mink_core.AsyncOutboxStore`."""

    async def add(self, messages: OutboxMessage | Iterable[OutboxMessage]) -> None:
        """See `OutboxStore.add`."""
        if prepared := prepare_messages(messages):
            await self._run(outbox.add(prepared))

    async def claim(self, worker: str, *, limit: int = 100, lease: float = LEASE) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.claim`."""
        check_claim(worker, limit, lease)
        return await self._run(outbox.claim(worker, limit, lease))

    async def settle(self, verdicts: Iterable[Verdict]) -> Sequence[ClaimedMessage]:
        """See `OutboxStore.settle`."""
        return await self._run(outbox.settle(prepare_verdicts(verdicts)))

    async def complete(self, message: ClaimedMessage) -> None:
        """See `OutboxStore.complete`."""
        await self._run(outbox.settle_one(prepare_verdicts(Verdict(message))))

    async def fail(
        self, message: ClaimedMessage, error: str, *, retry_in: float | None = None, give_up: bool = False
    ) -> None:
        """See `OutboxStore.fail`."""
        verdict = Verdict(message, error, retry_in, give_up)
        await self._run(outbox.settle_one(prepare_verdicts(verdict)))

    async def get(self, message_id: UUID) -> StoredMessage | None:
        """See `OutboxStore.get`."""
        check_message_id(message_id)
        return await self._run(outbox.get(message_id))

    async def list(
        self, *, status: MessageStatus | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[StoredMessage]:
        """See `OutboxStore.list`."""
        check_list(status, after, limit)
        return await self._run(outbox.list_by(status, after, limit))

    async def dead_letters(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredMessage]:
        """See `OutboxStore.dead_letters`."""
        return await self.list(status=MessageStatus.DEAD, after=after, limit=limit)

    async def requeue(self, message_id: UUID) -> bool:
        """See `OutboxStore.requeue`."""
        check_message_id(message_id)
        return await self._run(outbox.requeue(message_id))

    async def purge(self, *, older_than: float, dead: bool = False, limit: int = 1000) -> int:
        """See `OutboxStore.purge`."""
        check_purge(older_than, dead, limit)
        return await self._run(outbox.purge(older_than, limit, dead=dead))
