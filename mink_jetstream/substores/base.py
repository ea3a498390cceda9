"""What the stores around the log are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from mink_core.events import StoreIdentity
    from mink_jetstream.records import Records
    from mink_jetstream.subjects import Keys

T = TypeVar("T")


class Base(Protocol):
    """The store, as its sub-stores use it."""

    @property
    def keys(self) -> Keys:
        """How records are named."""
        ...

    async def records(self) -> Records:
        """The records of a store that is open and initialized."""
        ...

    async def identity(self) -> StoreIdentity:
        """The store's present identity."""
        ...


class Run(Protocol):
    """Runs a coroutine of the store, and waits for it in a thread."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Its result."""
        ...
