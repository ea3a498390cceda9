"""What sub-stores keep: records by table and key, changed under the log's lock.

A change is a function of the records, the counterpart of a program that sends SQL: it reads, puts
and drops records, and returns a result or raises, and then nothing of it is kept. Inside a
transaction what it put is seen by that transaction only, until the commit.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mink_core.events import StoreIdentity

T = TypeVar("T")

RecordKey: TypeAlias = tuple[str, Any]
"""The table, and the key within it."""

_DROPPED: Any = object()
_ABSENT: Any = object()


class Committed:
    """The records that everybody sees, and the numbers that are given out but once."""

    __slots__ = ("numbers", "tables")

    def __init__(self) -> None:
        self.tables: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
        self.numbers = count(1)

    def publish(self, own: Mapping[RecordKey, Any]) -> None:
        """Make one writer's records everybody's."""
        for (table, key), record in own.items():
            if record is _DROPPED:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = record


class Records:
    """The committed records, and over them one writer's own."""

    __slots__ = ("_committed", "_own", "_take", "identity", "now")

    def __init__(
        self,
        committed: Committed,
        own: dict[RecordKey, Any],
        take: Callable[[RecordKey], bool],
        now: datetime,
        identity: StoreIdentity,
    ) -> None:
        self._committed = committed
        self._own = own
        self._take = take
        self.now = now
        """The time by the store's clock."""
        self.identity = identity
        """The store's present identity."""

    def get(self, table: str, key: Any) -> Any:
        """The record, None where there is none."""
        own = self._own.get((table, key), _ABSENT)
        found = self._committed.tables[table].get(key) if own is _ABSENT else own
        return None if found is _DROPPED else found

    def put(self, table: str, key: Any, record: Any) -> None:
        """Store a record, which is never changed afterwards."""
        self._own[table, key] = record

    def drop(self, table: str, key: Any) -> None:
        """Remove a record."""
        self._own[table, key] = _DROPPED

    def lock(self, table: str, key: Any) -> None:
        """Keep others from changing a record until the transaction ends, as FOR SHARE does."""
        if (record := self.get(table, key)) is not None:
            self.put(table, key, record)

    def take(self, table: str, key: Any) -> bool:
        """Lock a record that is to be changed, as SKIP LOCKED does: False where another transaction has it."""
        return self._take((table, key))

    def items(self, table: str) -> Iterator[tuple[Any, Any]]:
        """The keys and records of a table, in no order."""
        for key, record in tuple(self._committed.tables[table].items()):
            if (table, key) not in self._own:
                yield key, record
        for (owner, key), record in tuple(self._own.items()):
            if owner == table and record is not _DROPPED:
                yield key, record

    def number(self) -> int:
        """A number above all that were given out; a rollback leaves a hole."""
        return next(self._committed.numbers)


class Change(NamedTuple, Generic[T]):
    """What a sub-store wants done: waits while an open transaction has changed one of `keys`."""

    keys: tuple[RecordKey, ...]
    apply: Callable[[Records], T]
