"""Doing something in a transaction that may have to wait for another one's locks: by thread, by task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from mink_memory.open_transaction import Turn
from mink_memory.signals import TaskSignal, ThreadSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_memory.handle import Handle
    from mink_memory.keys import Key
    from mink_memory.open_transaction import OpenTransaction

R = TypeVar("R")


def _attempted(handle: Handle[Any], turn: Turn, attempt: Callable[[Turn], R | None]) -> R | None:
    try:
        return attempt(turn)
    except Exception:
        raise  # a refusal leaves the transaction as it was (TX-03)
    except BaseException as error:  # and an interrupted attempt ends it, as an interrupted wait does
        handle.rollback(turn.transaction, error)
        raise


def wait_for_turn(
    handle: Handle[Any], transaction: OpenTransaction, keys: Sequence[Key], attempt: Callable[[Turn], R | None]
) -> R:
    """Make the attempt until it finds its locks free.

    Raises:
        TransientStorageError: A lock was not to be had within `lock_timeout`; the transaction is rolled back (TX-04).
    """
    signal = ThreadSignal()
    turn = Turn(transaction, keys, signal)
    deadline = time.monotonic() + handle.lock_timeout
    while (result := _attempted(handle, turn, attempt)) is None:
        try:
            in_time = signal.wait(deadline - time.monotonic())
        except BaseException as error:
            # As in a database, an interrupted wait ends the transaction.
            handle.rollback(transaction, error)
            raise
        if not in_time:
            late = handle.log.give_up(turn, handle.lock_timeout)
            handle.rollback(transaction, late)
            raise late
    return result


async def wait_for_turn_async(
    handle: Handle[Any], transaction: OpenTransaction, keys: Sequence[Key], attempt: Callable[[Turn], R | None]
) -> R:
    """`wait_for_turn` for asyncio."""
    signal = TaskSignal()
    turn = Turn(transaction, keys, signal)
    deadline = time.monotonic() + handle.lock_timeout
    while (result := _attempted(handle, turn, attempt)) is None:
        try:
            in_time = await signal.wait(deadline - time.monotonic())
        except BaseException as error:
            # As in a database, an interrupted wait ends the transaction.
            handle.rollback(transaction, error)
            raise
        if not in_time:
            late = handle.log.give_up(turn, handle.lock_timeout)
            handle.rollback(transaction, late)
            raise late
    return result
