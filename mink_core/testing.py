"""Hooks by which an adapter lets the conformance kit hold its commits open and break its connections.

All of them are optional. An adapter offers them as an object with the functions of `ConformanceHooks`
(a module will do), found in one of two places: the store's attribute `conformance_hooks`, or an entry
point of the group `mink.conformance` whose name is the package of the store's class. They are called
from plain threads, also for an async store, and never on its event loop.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mink_core.subscriber import AsyncStore, Store

GROUP = "mink.conformance"
"""The entry-point group."""


class CommitGate(Protocol):
    """Keeps appends to chosen streams from committing, after their positions were allocated.

    What is installed for it, it installs itself, and only where the store under test keeps its data.
    A hold ends when the kit says so, after a time or at a step of a schedule; never because another
    actor went on.
    """

    def hold(self, stream_id: str) -> None:
        """From now on, appends to the stream wait before they commit."""
        ...

    def held(self, stream_id: str) -> int:
        """How many appends wait now, their positions allocated."""
        ...

    def release(self, stream_id: str) -> None:
        """Let them commit, and no longer hold the stream."""
        ...

    def close(self) -> None:
        """Release everything and remove what was installed."""
        ...


class Fault(Enum):
    """What can happen to a connection."""

    CUT_BEFORE = "cut_before"
    """It breaks before the request has reached the storage: nothing is stored."""

    CUT_AFTER = "cut_after"
    """It breaks after the request was committed and before the reply arrived."""


class FaultInjector(Protocol):
    """Opens a store whose connections can be broken, on the same data as the store it was made for."""

    @property
    def connections(self) -> int:
        """How many connections the store opens at most, so that the kit can use them all up."""
        ...

    @property
    def patience(self) -> float:
        """Seconds that the store waits for a connection, and for a locked stream; below 2."""
        ...

    def open(self) -> Store | AsyncStore:
        """The store, of the same door; not entered. The caller closes it."""
        ...

    def arm(self, fault: Fault, stream_id: str | None) -> None:
        """Break the connection at the next request that names the stream; None: at the next transaction's commit."""
        ...

    def struck(self) -> int:
        """How many connections were broken so far."""
        ...

    def end_sessions(self) -> int:
        """Have the storage end every session of the store, and tell how many there were."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Borrowing(Protocol):
    """Opens a store on connections of the caller's own, which it must never close (LIFE-03)."""

    def open(self) -> Store:
        """The store; not entered."""
        ...

    def works(self) -> bool:
        """Whether the caller's connections can still be used."""
        ...

    def close(self) -> None:
        """Close the caller's connections."""
        ...


class AsyncBorrowing(Protocol):
    """`Borrowing` for an async store; called on its event loop."""

    async def open(self) -> AsyncStore:
        """See `Borrowing.open`."""
        ...

    async def works(self) -> bool:
        """See `Borrowing.works`."""
        ...

    async def close(self) -> None:
        """See `Borrowing.close`."""
        ...


class Binding(Protocol):
    """Binds a store to a connection of the caller's own, inside the caller's open transaction (TX-02)."""

    def open(self) -> Store:
        """Begin a transaction on the caller's connection; the store on it, not entered."""
        ...

    def end(self, *, commit: bool) -> None:
        """The caller ends the transaction. An error tells that the store has ended it or closed the connection."""
        ...

    def close(self) -> None:
        """Close the caller's connection."""
        ...


class AsyncBinding(Protocol):
    """`Binding` for an async store; called on its event loop."""

    async def open(self) -> AsyncStore:
        """See `Binding.open`."""
        ...

    async def end(self, *, commit: bool) -> None:
        """See `Binding.end`."""
        ...

    async def close(self) -> None:
        """See `Binding.close`."""
        ...


class ConformanceHooks(Protocol):
    """What an adapter offers. A function may be missing, or return None, where there is no such hook."""

    def commit_gate(self, store: Any) -> CommitGate | None:
        """A gate for the data of this store, which is initialized."""
        ...

    def fault_injector(self, store: Any) -> FaultInjector | None:
        """An injector for the data of this store, which is initialized."""
        ...

    def borrowing(self, store: Any) -> Borrowing | AsyncBorrowing | None:
        """A way to lend the data's connections."""
        ...

    def binding(self, store: Any) -> Binding | AsyncBinding | None:
        """A way to bind a store to the caller's own transaction."""
        ...
