"""What a sub-store is made of: the store's or a transaction's way to run a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from mink_memory.records import Change

T = TypeVar("T")


class Run(Protocol):
    """Runs one change, by itself or in the transaction."""

    def __call__(self, wanted: Change[T], /) -> T:
        """Its result."""
        ...


class AsyncRun(Protocol):
    """`Run` for asyncio."""

    async def __call__(self, wanted: Change[T], /) -> T:
        """Its result."""
        ...


class SubStore:
    """A facade: checks the arguments, then runs a change."""

    def __init__(self, run: Run) -> None:
        """Made by the property of a store or transaction."""
        self._run = run


class AsyncSubStore:
    """`SubStore` for asyncio."""

    def __init__(self, run: AsyncRun) -> None:
        """Made by the property of a store or transaction."""
        self._run = run
