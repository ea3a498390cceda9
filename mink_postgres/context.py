"""What every operation of one store needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mink_core.events import StoreIdentity
    from mink_core.transforms import EventTransform
    from mink_postgres.statements import Statements


_NOTED = 10_000
"""Appends that a transaction knows to be its own."""


class SettledMark:
    """The highest position below a mark at which this store has seen an event: all up to it is settled for good.

    Spares readers behind it the look at the locks. It is an event's position and never the mark itself: after a
    crash or a failover, positions above the last durable event may be given out again, and are then not settled.
    Forgotten with every new connection, since the server that answers next may have another history.
    """

    __slots__ = ("_seen", "lasts", "times_forgotten")

    def __init__(self, *, lasts: bool = True) -> None:
        """Know nothing yet.

        Args:
            lasts: Whether a new connection tells of another server. Behind a pooler it does not: it may lead to a standby
                or a restored copy while the application's connections stay as they are, so nothing is remembered.
        """
        self.lasts = lasts
        self.times_forgotten = 0
        # One value, so that no other thread finds one history's position beside another's identity, and with the
        # count, so that what was seen before a `forget` counts for nothing even if it is noted after it.
        self._seen: tuple[int, int, StoreIdentity | None] = (0, 0, None)

    def known(self) -> tuple[int, StoreIdentity | None]:
        """The position, 0 where nothing is known, and the history it is in."""
        times, position, identity = self._seen
        return (position, identity) if self.lasts and times == self.times_forgotten else (0, None)

    def saw(self, position: int, identity: StoreIdentity, times_forgotten: int) -> None:
        """Take over what was seen.

        Args:
            position: An event's.
            identity: Of the history it is in.
            times_forgotten: As it was before the look: what was seen in between may be of a server that is gone.
        """
        newest, stored = self.known()
        if times_forgotten == self.times_forgotten and (identity != stored or position > newest):
            self._seen = (times_forgotten, position, identity)

    def forget(self) -> None:
        """Know nothing again."""
        self.times_forgotten += 1


@dataclass(frozen=True, slots=True)
class Context:
    """One store's settings, shared by its operations."""

    sql: Statements
    transforms: Sequence[EventTransform] = ()
    unique_event_ids: bool = False
    settled: SettledMark = field(default_factory=SettledMark)
    hash_partitions: int = 0
    """How a new store lays out its events: so many partitions, 0 for one table."""
    json_type: str = "jsonb"
    """Of which type a new store's payloads are."""
    written: set[int] | None = None
    """Of a transaction: the first positions of the appends that it has stored last, which a repeated one has not."""

    def wrote(self, first_positions: Iterable[int]) -> None:
        """Note appends of a transaction. Who asks for one does so after it: the oldest are let go of, as a bound handle has no end."""
        if self.written is not None:
            if len(self.written) >= _NOTED:
                self.written.clear()
            self.written.update(first_positions)

    def in_transaction(self) -> Context:
        """The same for a transaction, which shares no mark: it must look for itself."""
        return Context(self.sql, self.transforms, self.unique_event_ids, written=set())
