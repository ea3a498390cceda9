"""What a sub-store is made of: the store's settings, and the store's or a transaction's way to run a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from mink_postgres.context import Context
    from mink_postgres.query import Program

T = TypeVar("T")


class Run(Protocol):
    """Runs one program, on a connection of the pool or in the transaction."""

    def __call__(self, program: Program[T], /) -> T:
        """Its result."""
        ...


class AsyncRun(Protocol):
    """`Run` for asyncio."""

    async def __call__(self, program: Program[T], /) -> T:
        """Its result."""
        ...


class SubStore:
    """A facade: checks the arguments, then runs a program."""

    def __init__(self, context: Context, run: Run) -> None:
        """Made by the property of a store or transaction."""
        self._context = context
        self._run = run


class AsyncSubStore:
    """`SubStore` for asyncio."""

    def __init__(self, context: Context, run: AsyncRun) -> None:
        """Made by the property of a store or transaction."""
        self._context = context
        self._run = run
