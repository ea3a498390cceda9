"""A transaction as the log knows it, and those of its calls that are on their way to locks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from mink_core.errors import StorageError, StoreClosedError
from mink_memory.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mink_memory.keys import Key


class OpenTransaction(Draft):
    """A transaction as the log knows it. All but the constants change under the log's lock only."""

    __slots__ = ("began", "doing", "end_reason", "failure", "held", "since", "turns")

    def __init__(self, since: datetime, doing: str) -> None:
        """Begin; nothing is locked or held back before the first append.

        Args:
            since: When it began, by the store's clock.
            doing: Whose it is, as told to those who wait for it.
        """
        super().__init__()
        self.since = since
        self.began = time.monotonic()
        self.doing = doing
        self.held: list[Key] = []
        self.turns: set[Turn] = set()
        self.end_reason: str | None = None
        self.failure: BaseException | None = None

    @property
    def first_position(self) -> int:
        """The first position it was given; only for one that has appended."""
        return self.rows[0].global_position

    @property
    def seconds(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self.began

    def check_open(self) -> None:
        """Refuse the use, and the commit, of a transaction that has ended.

        Raises:
            StorageError: A `StorageError` or an interrupted wait ended it (TX-03), though its block went on.
            StoreClosedError: Its block or its store has ended.
        """
        if self.end_reason is None:
            return
        if self.failure is not None:
            msg = f"the transaction was ended by an earlier error, and nothing of it is stored: {self.failure!r}"
            raise StorageError(msg) from self.failure
        msg = f"the transaction {self.end_reason}; nothing was stored by this call: begin a new one"
        raise StoreClosedError(msg)


class Signal(Protocol):
    """How a waiting thread or task is woken. Both methods are called under the log's lock."""

    def arm(self) -> None:
        """Called when its turn is queued, by who will wait."""
        ...

    def set(self) -> bool:
        """Wake it; False when it can never run again. Called from any thread, and again where it was interrupted."""
        ...


class Turn:
    """One append of a transaction, on its way to the locks that it needs."""

    __slots__ = ("keys", "queued", "signal", "taken", "transaction")

    def __init__(self, transaction: OpenTransaction, keys: Sequence[Key], signal: Signal) -> None:
        """Begin without any lock.

        Args:
            transaction: Who will hold the locks.
            keys: What is needed, in the order of locking.
            signal: Who to wake when it was queued.
        """
        self.transaction = transaction
        self.keys: Sequence[Key] = keys
        self.signal = signal
        self.taken: list[Key] = []
        self.queued: Key | None = None
        """The one key it waits for, while it does."""
