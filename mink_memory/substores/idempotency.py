"""`store.idempotency`, sync and async."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mink_core.errors import MinkError
from mink_core.idempotency import COMPLETED_FOR, RESERVED_FOR, IdempotencyRecord, Reservation
from mink_core.json_codec import encode_json
from mink_core.limits import check_count, check_seconds
from mink_core.prepare_substores.idempotency import check_key, check_list, check_reservation, prepare_key
from mink_core.runtime.key_waiting import pauses
from mink_memory.changes import idempotency
from mink_memory.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemoryIdempotency(SubStore):
    """See `mink_core.IdempotencyStore`."""

    def reserve(
        self,
        key: str,
        *,
        ttl: float = RESERVED_FOR,
        stream_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        wait: float = 0.0,
    ) -> Reservation:
        """See `IdempotencyStore.reserve`."""
        given = prepare_key(key, ttl, stream_id, metadata)
        pausing = pauses(check_seconds(wait, "wait", zero=True))
        token = uuid4()
        try:
            while True:
                reservation = self._run(idempotency.reserve(given, token))
                if reservation.is_mine or reservation.record.completed or (pause := next(pausing, None)) is None:
                    return reservation
                time.sleep(pause)
        except MinkError:
            raise
        except BaseException:  # Ctrl-C: nobody else knows the token
            with suppress(MinkError):
                self._run(idempotency.give_up(given, token))
            raise

    def complete(self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR) -> IdempotencyRecord:
        """See `IdempotencyStore.complete`."""
        check_reservation(reservation)
        encoded = encode_json(response, "response")
        return self._run(idempotency.complete(reservation, encoded, check_seconds(ttl, "ttl")))

    def release(self, reservation: Reservation) -> None:
        """See `IdempotencyStore.release`."""
        check_reservation(reservation)
        self._run(idempotency.release(reservation))

    def get(self, key: str) -> IdempotencyRecord | None:
        """See `IdempotencyStore.get`."""
        return self._run(idempotency.get(check_key(key)))

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """See `IdempotencyStore.list`."""
        check_list(after, limit)
        return self._run(idempotency.list_all(after, limit))

    def purge(self, *, limit: int = 1000) -> int:
        """See `IdempotencyStore.purge`."""
        return self._run(idempotency.purge(check_count(limit, "limit")))


class AsyncMemoryIdempotency(AsyncSubStore):
    """See `mink_core.AsyncIdempotencyStore`."""

    async def reserve(
        self,
        key: str,
        *,
        ttl: float = RESERVED_FOR,
        stream_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        wait: float = 0.0,
    ) -> Reservation:
        """See `IdempotencyStore.reserve`."""
        given = prepare_key(key, ttl, stream_id, metadata)
        pausing = pauses(check_seconds(wait, "wait", zero=True))
        while True:
            # A cancellation comes before this, or after: unlike Ctrl-C it cannot cut it in two.
            reservation = await self._run(idempotency.reserve(given, uuid4()))
            if reservation.is_mine or reservation.record.completed or (pause := next(pausing, None)) is None:
                return reservation
            await asyncio.sleep(pause)

    async def complete(
        self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR
    ) -> IdempotencyRecord:
        """See `IdempotencyStore.complete`."""
        check_reservation(reservation)
        encoded = encode_json(response, "response")
        return await self._run(idempotency.complete(reservation, encoded, check_seconds(ttl, "ttl")))

    async def release(self, reservation: Reservation) -> None:
        """See `IdempotencyStore.release`."""
        check_reservation(reservation)
        await self._run(idempotency.release(reservation))

    async def get(self, key: str) -> IdempotencyRecord | None:
        """See `IdempotencyStore.get`."""
        return await self._run(idempotency.get(check_key(key)))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """See `IdempotencyStore.list`."""
        check_list(after, limit)
        return await self._run(idempotency.list_all(after, limit))

    async def purge(self, *, limit: int = 1000) -> int:
        """See `IdempotencyStore.purge`."""
        return await self._run(idempotency.purge(check_count(limit, "limit")))
