"""A function whose work is done once a key."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from mink_core.errors import KeyBusyError, MinkError
from mink_core.idempotency import COMPLETED_FOR, RESERVED_FOR, Reservation

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.idempotency import AsyncIdempotencyStore, IdempotencyStore
    from mink_core.substores import AsyncHasSubStores, HasSubStores

P = ParamSpec("P")
T = TypeVar("T")

WAIT = 30.0
"""Seconds that a second caller waits for the first one's response, unless told otherwise."""


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
    work raises, the key is released and the next caller may try. A worker that dies holds the key
    for `ttl` seconds; one that takes longer than that gets `LeaseLostError`, as another may have begun.
    (To make the work and its completion one commit, reserve and complete in a `transaction()`.)

    Args:
        store: Whose `idempotency`; sync for a function, async for a coroutine function.
        key: Given the call's arguments, names the request.
        ttl: Seconds that the work may take.
        keep: Seconds that the response is kept.
        wait: Seconds that another caller waits for it.

    Raises:
        KeyBusyError: From the call: the first caller has not finished in `wait` seconds.

    Example:
        ```python
        @idempotent(store, key=lambda request_id, amount: f"pay-{request_id}")
        def pay(request_id: str, amount: int) -> dict[str, Any]: ...
        ```
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        if inspect.iscoroutinefunction(function):
            keys = cast("AsyncIdempotencyStore", store.idempotency)

            @wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                reservation = await keys.reserve(key(*args, **kwargs), ttl=ttl, wait=wait)
                if not reservation.is_mine:
                    return _response_of(reservation)
                try:
                    response = await function(*args, **kwargs)
                except BaseException:
                    with suppress(MinkError):  # what the work raised is told; the key comes free by itself
                        await keys.release(reservation)
                    raise
                return (await keys.complete(reservation, response, ttl=keep)).response

            return cast("Callable[P, T]", awaited)

        plain_keys = cast("IdempotencyStore", store.idempotency)

        @wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> Any:
            reservation = plain_keys.reserve(key(*args, **kwargs), ttl=ttl, wait=wait)
            if not reservation.is_mine:
                return _response_of(reservation)
            try:
                response = function(*args, **kwargs)
            except BaseException:
                with suppress(MinkError):  # as above
                    plain_keys.release(reservation)
                raise
            return plain_keys.complete(reservation, response, ttl=keep).response

        return called

    return decorated


def _response_of(reservation: Reservation) -> Any:
    if not reservation.record.completed:
        raise KeyBusyError(reservation.record.key)
    return reservation.record.response
