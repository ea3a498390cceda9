"""Transactions of both facades: a call that finds what it needs locked waits for its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError
from mink_memory.async_event_log import AsyncMemoryEventLog
from mink_memory.event_log import MemoryEventLog
from mink_memory.keys import keys_of
from mink_memory.substores import AsyncMemorySubStores, MemorySubStores
from mink_memory.view import View
from mink_memory.waiting import wait_for_turn, wait_for_turn_async

if TYPE_CHECKING:
    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_memory.handle import Handle
    from mink_memory.keys import Key
    from mink_memory.open_transaction import OpenTransaction
    from mink_memory.records import Change

T = TypeVar("T")
_ADAPTER = "memory"


def write(
    handle: Handle[Any],
    transaction: OpenTransaction,
    items: list[PreparedAppend],
    beside: Change[None] | None,
) -> list[AppendResult]:
    """Append in a transaction, waiting for its locks; with `beside`, a change of records as well, or neither."""
    keys = _keys(handle, items, beside)
    return wait_for_turn(
        handle, transaction, keys, lambda turn: handle.log.append_in(turn, items, handle.clock, beside)
    )


def _keys(handle: Handle[Any], items: list[PreparedAppend], beside: Change[None] | None) -> list[Key]:
    return [*keys_of(items, unique=handle.log.unique), *(beside.keys if beside and not callable(beside.keys) else ())]


async def write_async(
    handle: Handle[Any],
    transaction: OpenTransaction,
    items: list[PreparedAppend],
    beside: Change[None] | None,
) -> list[AppendResult]:
    """`write` for asyncio."""
    keys = _keys(handle, items, beside)
    return await wait_for_turn_async(
        handle, transaction, keys, lambda turn: handle.log.append_in(turn, items, handle.clock, beside)
    )


def change(handle: Handle[Any], transaction: OpenTransaction, wanted: Change[T]) -> T:
    """Change records in a transaction, waiting for their locks."""
    return wait_for_turn(handle, transaction, (), lambda turn: handle.log.change_in(turn, wanted, handle.clock))[0]


async def change_async(handle: Handle[Any], transaction: OpenTransaction, wanted: Change[T]) -> T:
    """`change` for asyncio."""
    done = await wait_for_turn_async(
        handle, transaction, (), lambda turn: handle.log.change_in(turn, wanted, handle.clock)
    )
    return done[0]


def refuse_sql() -> NoReturn:
    """There is no SQL in memory.

    Raises:
        CapabilityNotSupportedError: Always.
    """
    hint = "there is no SQL connection in memory"
    raise CapabilityNotSupportedError(_ADAPTER, Capability.SQL_TRANSACTION, hint)


class _InMemory:
    _transaction: OpenTransaction

    @property
    def connection(self) -> NoReturn:
        """Refused: there is no SQL in memory."""
        refuse_sql()

    def wrote(self, result: AppendResult) -> bool:
        """Whether the append was stored by this transaction; False for the repeat of one that was stored before."""
        return self._transaction.has_row(result.first_position)


class MemoryTransaction(_InMemory, MemorySubStores, MemoryEventLog):
    """See `mink_core.Transaction`. Isolation is as READ COMMITTED; what was written is locked until the end."""

    def __init__(self, handle: Handle[Any], transaction: OpenTransaction) -> None:
        """Made by `MemoryEventStore.transaction`."""
        self._handle = handle
        self._transaction = transaction
        self._view = View(handle, transaction)

    def _write(self, items: list[PreparedAppend], beside: Change[None] | None = None) -> list[AppendResult]:
        return write(self._handle, self._transaction, items, beside)

    def _change(self, wanted: Change[T]) -> T:
        self._view.check()
        return change(self._handle, self._transaction, wanted)


class AsyncMemoryTransaction(_InMemory, AsyncMemorySubStores, AsyncMemoryEventLog):
    """See `mink_core.AsyncTransaction` and `MemoryTransaction`."""

    def __init__(self, handle: Handle[Any], transaction: OpenTransaction) -> None:
        """Made by `AsyncMemoryEventStore.transaction`."""
        self._handle = handle
        self._transaction = transaction
        self._view = View(handle, transaction)

    async def _write(self, items: list[PreparedAppend], beside: Change[None] | None = None) -> list[AppendResult]:
        return await write_async(self._handle, self._transaction, items, beside)

    async def _change(self, wanted: Change[T]) -> T:
        self._view.check()
        return await change_async(self._handle, self._transaction, wanted)
