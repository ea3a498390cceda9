"""What an async driver does for a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from mink_postgres.query import Query, Rows


class AsyncBackend(Protocol):
    """A driver's connections, for asyncio."""

    on_connect: Callable[[], None]
    """Called for each connection that a pool of the store's own has opened, before it is used."""

    @property
    def conninfo(self) -> str | None:
        """Where to connect, once it is open; None where the caller gave a pool or a connection."""
        ...

    def pool_status(self) -> dict[str, int]:
        """Connections by state, and calls that wait for one; empty without a pool."""
        ...

    def array(self, values: list[Any]) -> Any:
        """An array argument, in the form that costs the driver least."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether a process that is forked now has connections of the caller's in common with this one."""
        ...

    def leave_to_parent(self) -> None:
        """Refuse all use, as this process was forked from the one whose connections these are."""
        ...

    async def open(self) -> None:
        """Reach the server, then open the pool."""
        ...

    async def acquire(self) -> Any:
        """Borrow a connection that commits each statement by itself; `release` it."""
        ...

    async def release(self, connection: Any, *, clean: bool) -> None:
        """Give a connection back; `clean` when its last statement ended well."""
        ...

    @property
    def fetch(self) -> Callable[[Any, Query], Coroutine[Any, Any, Rows]]:
        """Runs one query on a connection."""
        ...

    def commits_by_itself(self, connection: Any) -> bool:
        """Whether a statement sent now commits with itself: no transaction is open, and none is begun for it."""
        ...

    def transaction(self, connection: Any, commit: Query) -> AbstractAsyncContextManager[None]:
        """BEGIN, then COMMIT, or ROLLBACK when the block raises."""
        ...

    async def close(self) -> None:
        """Release what was opened here."""
        ...
