"""What every operation of one store needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoreIdentity
    from mink_core.transforms import EventTransform
    from mink_postgres.statements import Statements


class SettledMark:
    """The highest mark this store has seen: everything at or below it is settled for good.

    Spares readers behind it the look at the locks. Forgotten when a connection is lost, since
    the server that answers next may have another history.
    """

    __slots__ = ("identity", "position")

    def __init__(self) -> None:
        """Know nothing yet."""
        self.position = 0
        self.identity: StoreIdentity | None = None

    def saw(self, position: int, identity: StoreIdentity) -> None:
        """Take over a look's result."""
        if identity != self.identity or position > self.position:
            self.position, self.identity = position, identity

    def forget(self) -> None:
        """Know nothing again."""
        self.position, self.identity = 0, None


@dataclass(frozen=True, slots=True)
class Context:
    """One store's settings, shared by its operations."""

    sql: Statements
    transforms: Sequence[EventTransform] = ()
    unique_event_ids: bool = False
    settled: SettledMark = field(default_factory=SettledMark)
    hash_partitions: int = 0
    """How a new store lays out its events: so many partitions, 0 for one table."""

    def in_transaction(self) -> Context:
        """The same for a transaction, which shares no mark: it must look for itself."""
        return Context(self.sql, self.transforms, self.unique_event_ids)
