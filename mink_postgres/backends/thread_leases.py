"""`Leases` for threads, of which Ctrl-C loses no connection.

Python looks for signals where a function begins, after a call, and at the end of a loop's round, and nowhere else. So a connection
goes from one place to the next in lines that call nothing, and is in a list at any moment in which a signal may come. `lend`
shows how to use one; what cannot be a function, as the block of a transaction, does the same.

What a pool does meanwhile is not ours to write like that: see `apart`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mink_core.runtime.apart import apart

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Held: TypeAlias = "list[Any]"
"""One place for a connection; None while it is empty."""


class ThreadLeases:
    """Stands before a pool of the store's own, for threads."""

    def __init__(
        self,
        take: Callable[[float | None], Any],
        give: Callable[[Any], None],
        is_clean: Callable[[Any], bool],
        *,
        kept: int,
    ) -> None:
        """Borrow nothing yet.

        Args:
            take: Borrows from the pool, waiting for so long.
            give: Gives back to the pool.
            is_clean: Whether a connection can serve again at once. The pool looks after the others.
            kept: How many to keep; 0 for a pool of the caller's, which pays for no other thread either.
        """
        self._take = take
        self._give = give
        self._is_clean = is_clean
        self._kept = kept
        self._apart: Callable[[Callable[[], None]], None] = apart if kept else _here
        self.idle: list[Any] = []
        """Connections that are kept and not in use: the pool counts them as lent. Added to by anybody, taken out under the lock."""
        self._leaving: list[Any] = []
        # Whoever finds none here counts as waiting before anybody else can put one here, where it would be missed.
        self._waiting: dict[int, None] = {}
        self._lock = threading.Lock()

    def lend(self, work: Callable[[Any], T]) -> T:
        """What work makes of a connection, which comes back whatever happens."""
        held: Held = [None]
        try:
            return work(self.acquire(held))
        finally:
            try:
                self.release(held)
            except BaseException:  # Ctrl-C as the function began, or later
                self.release(held)
                raise

    def acquire(self, held: Held, timeout: float | None = None) -> Any:
        """A connection kept from an earlier call, or one of the pool, which is noted in `held` as well."""
        idle = self.idle
        with self._lock:
            if size := len(idle):
                held[0] = idle[size - 1]
                del idle[size - 1]
        connection = held[0]
        if connection is None or not self._is_clean(connection):
            self._acquire_anew(held, timeout)
            return held[0]
        return connection

    def _acquire_anew(self, held: Held, timeout: float | None) -> None:
        idle, ticket = self.idle, None
        try:
            while ticket is None:
                if held[0] is not None:
                    if self._is_clean(held[0]):
                        return
                    self._leaving += held
                    held[0] = None
                self._let_go()
                with self._lock:
                    if size := len(idle):
                        held[0] = idle[size - 1]
                        del idle[size - 1]
                    else:
                        ticket = id(held)
                        self._waiting[ticket] = None
            self._borrow(held, timeout, ticket)
        finally:
            if ticket is not None:
                del self._waiting[ticket]

    def _borrow(self, held: Held, timeout: float | None, ticket: int) -> None:
        waiting, idle = self._waiting, self.idle

        def borrow() -> None:
            connection: Held = [self._take(timeout)]
            if ticket in waiting:
                held[0] = connection[0]
            else:  # whoever asked for it was interrupted
                idle.extend(connection)
                self.settle()

        self._apart(borrow)

    def release(self, held: Held) -> None:
        """Give back what is held, if anything is. Whoever is interrupted in it repeats it."""
        if held[0] is not None:
            self.idle += held
            held[0] = None
        self.settle()

    def settle(self) -> None:
        """See that what was put into `idle` may stay there. Whoever is interrupted in it repeats it."""
        idle = self.idle
        with self._lock:
            # Who waits in the pool would not see one that is kept here.
            size, is_busy = len(idle), self._waiting or self._leaving
            if not is_busy and size <= self._kept and (not size or self._is_clean(idle[size - 1])):
                return
            # No `while` with a condition: CPython 3.13 would not let go of the lock where Ctrl-C comes as it turns round.
            for index in range(len(idle) - 1, -1, -1):
                end = index + bool(self._waiting or index >= self._kept or not self._is_clean(idle[index]))
                self._leaving += idle[index:end]
                del idle[index:end]
        self._let_go()

    def _let_go(self) -> None:
        if self._leaving:
            self._apart(self._give_all)

    def _give_all(self) -> None:
        while self._leaving:
            try:
                connection = self._leaving.pop()
            except IndexError:  # another thread was faster
                return
            self._give(connection)

    def end(self) -> None:
        """Give all back, and keep none from now on."""
        self._kept = 0
        self.settle()


def _here(call: Callable[[], None]) -> None:
    call()
