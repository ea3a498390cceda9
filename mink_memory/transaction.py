"""Transactions of both facades: an append that finds its stream locked waits for its turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError
from mink_core.runtime.substores import SubStores
from mink_memory.async_event_log import AsyncMemoryEventLog
from mink_memory.event_log import MemoryEventLog
from mink_memory.locks import Turn, keys_of
from mink_memory.signals import TaskSignal, ThreadSignal
from mink_memory.view import View

if TYPE_CHECKING:
    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_memory.drafts import OpenTransaction
    from mink_memory.handle import Handle


def write(handle: Handle[Any], transaction: OpenTransaction, items: list[PreparedAppend]) -> list[AppendResult]:
    """Append in a transaction, waiting for its locks.

    Raises:
        TransientStorageError: A lock was not to be had within `lock_timeout`; the transaction is rolled back (TX-04).
    """
    log = handle.log
    signal = ThreadSignal()
    turn = Turn(transaction, keys_of(items, unique=log.unique), signal)
    deadline = time.monotonic() + handle.lock_timeout
    while (results := log.append_in(turn, items, handle.clock)) is None:
        try:
            in_time = signal.wait(deadline - time.monotonic())
        except BaseException as error:
            # As in a database, an interrupted wait ends the transaction.
            handle.rollback(transaction, error)
            raise
        if not in_time:
            late = log.give_up(turn, handle.lock_timeout)
            handle.rollback(transaction, late)
            raise late
    return results


async def write_async(
    handle: Handle[Any], transaction: OpenTransaction, items: list[PreparedAppend]
) -> list[AppendResult]:
    """`write` for asyncio."""
    log = handle.log
    signal = TaskSignal()
    turn = Turn(transaction, keys_of(items, unique=log.unique), signal)
    deadline = time.monotonic() + handle.lock_timeout
    while (results := log.append_in(turn, items, handle.clock)) is None:
        try:
            in_time = await signal.wait(deadline - time.monotonic())
        except BaseException as error:
            # As in a database, an interrupted wait ends the transaction.
            handle.rollback(transaction, error)
            raise
        if not in_time:
            late = log.give_up(turn, handle.lock_timeout)
            handle.rollback(transaction, late)
            raise late
    return results


class _Connectionless(SubStores):
    adapter_name = "memory"

    @property
    def connection(self) -> NoReturn:
        """Refused: there is no SQL in memory."""
        hint = "there is no SQL connection in memory"
        raise CapabilityNotSupportedError(self.adapter_name, Capability.SQL_TRANSACTION, hint)


class MemoryTransaction(_Connectionless, MemoryEventLog):
    """See `mink_core.Transaction`. Isolation is as READ COMMITTED; a written stream is locked until the end."""

    def __init__(self, handle: Handle[Any], transaction: OpenTransaction) -> None:
        """Made by `MemoryEventStore.transaction`."""
        self._handle = handle
        self._transaction = transaction
        self._view = View(handle, transaction)

    def _write(self, items: list[PreparedAppend]) -> list[AppendResult]:
        return write(self._handle, self._transaction, items)


class AsyncMemoryTransaction(_Connectionless, AsyncMemoryEventLog):
    """See `mink_core.AsyncTransaction` and `MemoryTransaction`."""

    def __init__(self, handle: Handle[Any], transaction: OpenTransaction) -> None:
        """Made by `AsyncMemoryEventStore.transaction`."""
        self._handle = handle
        self._transaction = transaction
        self._view = View(handle, transaction)

    async def _write(self, items: list[PreparedAppend]) -> list[AppendResult]:
        return await write_async(self._handle, self._transaction, items)
