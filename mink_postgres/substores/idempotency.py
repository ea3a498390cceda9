"""`store.idempotency`, sync and async."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mink_core.errors import MinkError, OutcomeUnknownError
from mink_core.idempotency import COMPLETED_FOR, RESERVED_FOR, IdempotencyRecord, Reservation
from mink_core.json_codec import encode_json
from mink_core.limits import check_count, check_seconds
from mink_core.prepare_substores.idempotency import check_key, check_list, check_reservation, prepare_key
from mink_core.runtime.key_waiting import pauses
from mink_postgres.programs import idempotency
from mink_postgres.substores.base import AsyncSubStore, SubStore

if TYPE_CHECKING:
    from collections.abc import Sequence


_GIVEN_BACK_WITHIN = 5.0
"""Seconds for which connections are tried, one after the other, to give back a key whose reservation was not answered."""


class PostgresIdempotency(SubStore):
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
        claim = idempotency.Claim()
        try:
            while True:
                reservation = self._run(idempotency.reserve(self._context, given, claim))
                if reservation.is_mine or reservation.record.completed or (pause := next(pausing, None)) is None:
                    return reservation
                time.sleep(pause)
        except OutcomeUnknownError:  # nobody else knows the token
            for pause in pauses(_GIVEN_BACK_WITHIN):
                with suppress(MinkError):
                    try:
                        self._run(idempotency.give_up(self._context, given, claim))
                    except OutcomeUnknownError:  # the pool's next connection was cut as well
                        time.sleep(pause)
                        continue
                break
            raise
        except MinkError:
            raise
        except BaseException:  # Ctrl-C: as above
            if claim.may_hold:
                with suppress(MinkError):
                    self._run(idempotency.give_up(self._context, given, claim))
            raise

    def complete(self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR) -> IdempotencyRecord:
        """See `IdempotencyStore.complete`."""
        check_reservation(reservation)
        encoded = encode_json(response, "response")
        return self._run(idempotency.complete(self._context, reservation, encoded, check_seconds(ttl, "ttl")))

    def release(self, reservation: Reservation) -> None:
        """See `IdempotencyStore.release`."""
        check_reservation(reservation)
        self._run(idempotency.release(self._context, reservation))

    def get(self, key: str) -> IdempotencyRecord | None:
        """See `IdempotencyStore.get`."""
        return self._run(idempotency.get(self._context, check_key(key)))

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """See `IdempotencyStore.list`."""
        check_list(after, limit)
        return self._run(idempotency.list_all(self._context, after, limit))

    def purge(self, *, limit: int = 1000) -> int:
        """See `IdempotencyStore.purge`."""
        return self._run(idempotency.purge(self._context, check_count(limit, "limit")))


class AsyncPostgresIdempotency(AsyncSubStore):
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
        claim = idempotency.Claim()
        try:
            while True:
                reservation = await self._run(idempotency.reserve(self._context, given, claim))
                if reservation.is_mine or reservation.record.completed or (pause := next(pausing, None)) is None:
                    return reservation
                await asyncio.sleep(pause)
        except OutcomeUnknownError:  # nobody else knows the token
            for pause in pauses(_GIVEN_BACK_WITHIN):
                with suppress(MinkError):
                    try:
                        await self._run(idempotency.give_up(self._context, given, claim))
                    except OutcomeUnknownError:  # the pool's next connection was cut as well
                        await asyncio.sleep(pause)
                        continue
                break
            raise
        except asyncio.CancelledError:  # as above
            if claim.may_hold:
                with suppress(MinkError):
                    await self._run(idempotency.give_up(self._context, given, claim))
            raise

    async def complete(
        self, reservation: Reservation, response: Any, *, ttl: float = COMPLETED_FOR
    ) -> IdempotencyRecord:
        """See `IdempotencyStore.complete`."""
        check_reservation(reservation)
        encoded = encode_json(response, "response")
        return await self._run(idempotency.complete(self._context, reservation, encoded, check_seconds(ttl, "ttl")))

    async def release(self, reservation: Reservation) -> None:
        """See `IdempotencyStore.release`."""
        check_reservation(reservation)
        await self._run(idempotency.release(self._context, reservation))

    async def get(self, key: str) -> IdempotencyRecord | None:
        """See `IdempotencyStore.get`."""
        return await self._run(idempotency.get(self._context, check_key(key)))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[IdempotencyRecord]:
        """See `IdempotencyStore.list`."""
        check_list(after, limit)
        return await self._run(idempotency.list_all(self._context, after, limit))

    async def purge(self, *, limit: int = 1000) -> int:
        """See `IdempotencyStore.purge`."""
        return await self._run(idempotency.purge(self._context, check_count(limit, "limit")))
