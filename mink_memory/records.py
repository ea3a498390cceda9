"""What sub-stores keep: records by table and key, changed under the log's lock.

A change is a function of the records, the counterpart of a program that sends SQL: it reads, puts
and drops records, and returns a result or raises, and then nothing of it is kept. Inside a
transaction what it put is seen by that transaction only, until the commit.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import filterfalse, islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar

from mink_memory.holes import is_hole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mink_core.events import StoreIdentity
    from mink_memory.at_once import Step
    from mink_memory.feed import Feed
    from mink_memory.keys import Key, RecordKey
    from mink_memory.rewriting import Rewriter
    from mink_memory.rows import Row

T = TypeVar("T")

_DROPPED: Any = object()
_ABSENT: Any = object()


class Tables:
    """The committed records of a log, and what else a change may look at."""

    __slots__ = ("_tokens", "committed", "feed")

    def __init__(self, feed: Feed) -> None:
        self.committed: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
        """By table, then by key."""
        self.feed = feed
        self._tokens = 0

    def next_token(self) -> int:
        """A number that was never given before, also not by what was rolled back."""
        self._tokens += 1
        return self._tokens

    def publishing(self, own: Mapping[RecordKey, Any]) -> list[Step]:
        """The steps that make one writer's records everybody's. What it dropped is marked, until it is swept."""
        # By dictionaries, which keep the hashes of their keys: those of a UUID are computed in Python.
        return [(self.committed[table].update, {key: record}) for (table, key), record in own.items()]

    def sweep(self, own: Mapping[RecordKey, Any]) -> None:
        """Let go of the marks of what was dropped, if it was committed."""
        for (table, key), record in own.items():
            if record is _DROPPED and self.committed[table].get(key) is _DROPPED:
                del self.committed[table][key]


class Records:
    """The committed records, and over them one writer's own."""

    __slots__ = ("_own", "_tables", "identity", "is_locked", "now", "rewriters")

    def __init__(
        self,
        tables: Tables,
        own: dict[RecordKey, Any],
        now: datetime,
        identity: StoreIdentity,
        is_locked: Callable[[RecordKey], bool],
    ) -> None:
        self._tables = tables
        self._own = own
        self.now = now
        """The time by the store's clock."""
        self.identity = identity
        """The store's present identity."""
        self.is_locked = is_locked
        """Whether another open transaction has changed a record, which is then left out as with SKIP LOCKED."""
        self.rewriters: dict[str, Rewriter] = {}
        """By stream, what is to be done to what is stored, together with what was put and dropped here."""

    def get(self, table: str, key: Any) -> Any:
        """The record, None where there is none."""
        own = self._own.get((table, key), _ABSENT)
        found = self._tables.committed[table].get(key) if own is _ABSENT else own
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

    def items(self, table: str) -> Iterator[tuple[Any, Any]]:
        """The keys and records of a table, in no order."""
        for key, record in tuple(self._tables.committed[table].items()):
            if record is not _DROPPED and (table, key) not in self._own:
                yield key, record
        for (owner, key), record in tuple(self._own.items()):
            if owner == table and record is not _DROPPED:
                yield key, record

    def next_token(self) -> int:
        """See `Tables.next_token`."""
        return self._tables.next_token()

    def feed_after(self, position: int) -> Iterator[Row]:
        """The rows of the feed above a position."""
        feed = self._tables.feed
        rows = islice(feed.settled, feed.index_after(position), None)
        return filterfalse(is_hole, rows) if feed.has_holes else rows


Keys: TypeAlias = "tuple[Key, ...] | Callable[[Records], tuple[Key, ...]]"


class Change(NamedTuple, Generic[T]):
    """What a sub-store wants done: waits while an open transaction has changed one of `keys`."""

    keys: Keys
    """What it may put or drop, and the streams that it rewrites; or a function that finds it."""
    apply: Callable[[Records], T]
