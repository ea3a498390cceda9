"""A function whose work is done once a key."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

from mink_core.backoff import Backoff
from mink_core.errors import (
    KeyBusyError,
    MinkError,
    OutcomeUnknownError,
    StorageError,
    TransientStorageError,
    UsageError,
)
from mink_core.idempotency import COMPLETED_FOR, RESERVED_FOR, Reservation
from mink_core.unawaited import check_runs, is_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mink_core.idempotency import AsyncIdempotencyStore, IdempotencyStore
    from mink_core.substores import AsyncHasSubStores, HasSubStores

P = ParamSpec("P")
T = TypeVar("T")

WAIT = 30.0
"""Seconds that a second caller waits for the first one's response, unless told otherwise."""
_STORED_WITHIN = 60.0
"""Seconds for which a response is tried to be stored: longer than a failover takes."""
_STORE_AGAIN = Backoff(0.1, most=1.0)
_WORTH_TRYING = (TransientStorageError, OutcomeUnknownError)


def idempotent(
    store: HasSubStores | AsyncHasSubStores,
    key: Callable[P, str],
    *,
    ttl: float = RESERVED_FOR,
    keep: float = COMPLETED_FOR,
    wait: float = WAIT,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function, or a coroutine function on an async store, do its work once a key.

    The first caller does the work, and every caller gets its response, which must be JSON. Where the
    work raises, the key is released and the next caller may try; so it is where the caller is cancelled or
    interrupted by Ctrl-C, unless the work is done: then its response is stored first. A worker that dies
    holds the key for `ttl` seconds; one that takes longer than that gets `LeaseLostError`, as another may
    have begun. Where the storage fails once the work is done, the response is tried again to be stored, while the
    key is held and for a minute at most. (To make the work and its completion one commit, reserve and complete in a
    `transaction()`.)

    Args:
        store: Whose `idempotency`; sync for a function, async for a coroutine function.
        key: Given the call's arguments, names the request.
        ttl: Seconds that the work may take.
        keep: Seconds that the response is kept.
        wait: Seconds that another caller waits for it.

    Raises:
        UsageError: The function has a yield, or is for the other door.
        KeyBusyError: From the call: the first caller has not finished in `wait` seconds.
        OutcomeUnknownError: From the call, with `retry_is_safe` false: the work is done, but its response may not be
            stored, and after `ttl` seconds a call would do it again; or the answer to the reservation was lost.

    Example:
        ```python
        @idempotent(store, key=lambda request_id, amount: f"pay-{request_id}")
        def pay(request_id: str, amount: int) -> dict[str, Any]: ...
        ```
    """
    times = _Times(ttl, keep, wait)

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        check_runs(function, "a function whose work is done once a key")
        is_awaited = is_coroutine_function(function)
        if is_awaited is not is_coroutine_function(store.idempotency.reserve):
            wanted = "plain function" if is_awaited else "coroutine function"
            msg = f"a {wanted} is wanted by this store's door, unlike {function!r:.60}; no key was reserved"
            raise UsageError(msg)
        if is_awaited:
            awaitable = cast("Callable[P, Awaitable[Any]]", function)
            coroutine = _awaited(cast("AsyncIdempotencyStore", store.idempotency), key, times, awaitable)
            return cast("Callable[P, T]", coroutine)
        return _called(cast("IdempotencyStore", store.idempotency), key, times, function)

    return decorated


class _Times(NamedTuple):
    """As `idempotent` was given them."""

    ttl: float
    keep: float
    wait: float

    def pauses(self, reserved: float) -> Iterator[float]:
        """Between the tries to store a response, where the key was reserved by then: the work must not be done twice."""
        end = min(reserved + self.ttl, time.monotonic() + _STORED_WITHIN)
        failures = 1
        while (left := end - time.monotonic()) > 0:
            yield min(left, _STORE_AGAIN.delay(failures))
            failures += 1


def _called(keys: IdempotencyStore, key: Callable[P, str], times: _Times, function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Any:
        reservation = keys.reserve(key(*args, **kwargs), ttl=times.ttl, wait=times.wait)
        try:
            if not reservation.is_mine:  # a call, at which Ctrl-C could come
                return _response_of(reservation)
            reserved = time.monotonic()
            response = function(*args, **kwargs)
        except BaseException:
            if reservation.token is not None:
                with suppress(MinkError):  # what the work raised is told; the key comes free by itself
                    keys.release(reservation)
            raise
        try:
            return _complete(keys, reservation, response, times, reserved)
        except MinkError:
            raise
        except BaseException:  # Ctrl-C
            with suppress(MinkError):
                keys.complete(reservation, response, ttl=times.keep)  # a repeat changes nothing
            raise

    return called


def _complete(keys: IdempotencyStore, reservation: Reservation, response: Any, times: _Times, reserved: float) -> Any:
    pauses = times.pauses(reserved)
    while True:
        try:
            return keys.complete(reservation, response, ttl=times.keep).response
        except _WORTH_TRYING as error:
            if (pause := next(pauses, None)) is None:
                raise _unstored(error) from error
        time.sleep(pause)


def _awaited(
    keys: AsyncIdempotencyStore, key: Callable[P, str], times: _Times, function: Callable[P, Awaitable[Any]]
) -> Callable[P, Awaitable[Any]]:
    @wraps(function)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
        reservation = await keys.reserve(key(*args, **kwargs), ttl=times.ttl, wait=times.wait)
        reserved = time.monotonic()
        if not reservation.is_mine:
            return _response_of(reservation)
        try:
            response = await function(*args, **kwargs)
        except BaseException:
            with suppress(MinkError):  # as above
                await keys.release(reservation)
            raise
        try:
            return await _complete_async(keys, reservation, response, times, reserved)
        except asyncio.CancelledError:
            with suppress(MinkError):
                await keys.complete(reservation, response, ttl=times.keep)  # as above
            raise

    return awaited


async def _complete_async(
    keys: AsyncIdempotencyStore, reservation: Reservation, response: Any, times: _Times, reserved: float
) -> Any:
    pauses = times.pauses(reserved)
    while True:
        try:
            return (await keys.complete(reservation, response, ttl=times.keep)).response
        except _WORTH_TRYING as error:  # as above
            if (pause := next(pauses, None)) is None:
                raise _unstored(error) from error
        await asyncio.sleep(pause)


def _unstored(error: StorageError) -> OutcomeUnknownError:
    """What the storage said is of the response: the work is done, so to call again is not safe."""
    return OutcomeUnknownError(
        f"the work is done, but its response may not be stored ({error})", retry_is_safe=False, sqlstate=error.sqlstate
    )


def _response_of(reservation: Reservation) -> Any:
    if not reservation.record.completed:
        raise KeyBusyError(reservation.record.key)
    return reservation.record.response
