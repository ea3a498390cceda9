"""The log: all state of a memory store, and its transitions under one lock.

An open transaction's rows wait in its draft. Committed rows are in their streams at once, and in
the feed once no open transaction can still commit below them. Nothing here waits for a
transaction: who has to wait is told so, and is woken by a signal.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from mink_core.deciding import fits
from mink_core.encoded import result_of
from mink_core.errors import PositionAheadError, TransientStorageError
from mink_core.events import StoreIdentity
from mink_core.stream_state import UNMARKED
from mink_memory.drafts import Draft
from mink_memory.feed import Feed
from mink_memory.locks import Locks, Turn, keys_of
from mink_memory.records import Records, Tables
from mink_memory.rewriting import Rewriter
from mink_memory.staging import new_rows, stage
from mink_memory.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mink_core.encoded import EncodedEvent
    from mink_core.events import AppendResult, StreamInfo
    from mink_core.feed_status import FeedStatus
    from mink_core.prepare import PreparedAppend
    from mink_core.runtime.pace import Sleeper
    from mink_memory.drafts import OpenTransaction
    from mink_memory.locks import Key
    from mink_memory.records import Change, RecordKey

T = TypeVar("T")
_COLLECTOR_WAIT = 1.0


class MemoryLog:
    """One history, shared by every store that is opened on it. Safe from any thread."""

    def __init__(self, *, unique_event_ids: bool) -> None:
        """Begin an empty history with an identity of its own.

        Args:
            unique_event_ids: Keep an index of event ids, and store each only once.
        """
        self.unique = unique_event_ids
        self._identity = StoreIdentity(uuid4(), 1)
        self._lock = threading.Lock()
        self._streams = Streams(unique=unique_event_ids)
        self._feed = Feed()
        self._locks = Locks()
        self._tables = Tables(self._feed)

    def append(self, items: Sequence[PreparedAppend], clock: Callable[[], datetime]) -> list[AppendResult] | None:
        """Store appends outside of any transaction, all or nothing.

        Returns:
            The results, or None where a transaction has locked a stream of them. Nothing was done
            then: the caller has to wait for its turn in a transaction of its own.
        """
        with self._lock:
            owners = self._locks.owners
            if owners and not owners.keys().isdisjoint(keys_of(items, unique=self.unique)):
                return None
            feed, streams = self._feed, self._streams
            if len(items) == 1 and not self.unique:
                item = items[0]
                rows = streams.rows.get(item.stream_id)
                marked = streams.states and item.stream_id in streams.states
                if not marked and fits(item.expected, len(rows) if rows else 0):  # the common case, without a draft
                    new = new_rows(item, rows, feed.high, clock)
                    feed.high += len(new)
                    streams.publish_one(item.stream_id, rows, new)
                    feed.add(new)
                    return [result_of(new)]
            draft = Draft()
            results = stage(streams, draft, items, feed.high, clock)
            feed.high += len(draft.rows)
            streams.ids.update(draft.ids)
            streams.publish(draft.pending)
            feed.add(draft.rows)
            return results

    def append_in(
        self,
        turn: Turn,
        items: Sequence[PreparedAppend],
        clock: Callable[[], datetime],
        beside: Change[None] | None = None,
    ) -> list[AppendResult] | None:
        """Store appends in a transaction, seen by nobody else until its commit.

        Args:
            turn: On its way to the locks of the appends, and of `beside`.
            items: What to append.
            clock: The store's.
            beside: Made too, or nothing is; not made where the appends are a repeat (OUTBOX-01).

        Returns:
            The results, or None where the turn was queued: try again when its signal is set.
        """
        transaction = turn.transaction
        with self._lock:
            transaction.check_open()
            transaction.turns.add(turn)
            if not self._locks.take(turn):
                return None
            size = len(transaction.rows)
            try:
                results = stage(self._streams, transaction, items, self._feed.high, clock)
                if beside is not None and len(transaction.rows) > size:
                    self._apply_beside(transaction, size, beside, clock)
            finally:
                self._locks.finish(turn)
            if len(transaction.rows) > size:
                self._feed.high += len(transaction.rows) - size
                self._feed.hold(transaction)
            return results

    def _apply_beside(
        self, transaction: OpenTransaction, size: int, beside: Change[None], clock: Callable[[], datetime]
    ) -> None:
        own = dict(transaction.records)
        try:
            beside.apply(self._records_for(transaction, own, clock))
        except BaseException:
            transaction.undo(size)
            raise
        transaction.records = own

    def change(self, change: Change[T], clock: Callable[[], datetime]) -> tuple[T] | None:
        """Change records outside of any transaction, all or nothing.

        Returns:
            The result in a tuple, or None where a transaction has locked one of the keys. Nothing
            was done then: the caller has to wait for its turn in a transaction of its own.
        """
        with self._lock:
            own: dict[RecordKey, Any] = {}
            records = self._records_for(None, own, clock)
            if not self._locks.owners.keys().isdisjoint(_keys(change, records)):
                return None
            result = change.apply(records)
            self._refuse_locked(None, own)
            self._tables.publish(own)
            return (result,)

    def change_in(self, turn: Turn, change: Change[T], clock: Callable[[], datetime]) -> tuple[T] | None:
        """Change records in a transaction, seen by nobody else until its commit.

        Returns:
            The result in a tuple, or None where the turn was queued: try again when its signal is set.
        """
        transaction = turn.transaction
        with self._lock:
            transaction.check_open()
            transaction.turns.add(turn)
            own = dict(transaction.records)
            records = self._records_for(transaction, own, clock)
            if not turn.keys:
                turn.keys = sorted(_keys(change, records), key=repr)
            if not self._locks.take(turn):
                return None
            try:
                result = change.apply(records)
                self._refuse_locked(transaction, own)
                transaction.records = own
                self._locks.claim(transaction, own)
            finally:
                self._locks.finish(turn)
            return (result,)

    def _records_for(
        self, transaction: OpenTransaction | None, own: dict[RecordKey, Any], clock: Callable[[], datetime]
    ) -> Records:
        def is_locked(key: RecordKey) -> bool:
            return self._locks.owners.get(key, transaction) is not transaction

        return Records(self._tables, own, clock(), self._identity, is_locked)

    def _refuse_locked(self, transaction: OpenTransaction | None, own: dict[RecordKey, Any]) -> None:
        """A change whose keys became others while it waited must not write past an open transaction."""
        for key in own:
            if (owner := self._locks.owners.get(key)) is not None and owner is not transaction:
                msg = f"{_named(key)} is being changed by another transaction; nothing was stored: try again"
                raise TransientStorageError(msg)

    def give_up(self, turn: Turn, seconds: float) -> TransientStorageError:
        """The error for a turn that has waited so long: who is in the way, and what to do (TX-04)."""
        with self._lock:
            key = turn.keys[0] if turn.queued is None else turn.queued
            owner = None if turn.queued is None else self._locks.owners.get(key)
            what = _named(key)
            who = f"by a transaction of {owner.doing}, open for {owner.seconds:.3f} s" if owner else "until just now"
            return TransientStorageError(
                f"{what} was locked {who}; the call waited for it for {seconds:g} s (lock_timeout); "
                "nothing of it was stored: repeat it, and keep transactions short"
            )

    def commit(self, transaction: OpenTransaction) -> None:
        """Make a transaction's rows visible, all at once.

        Raises:
            StoreClosedError: It has ended.
            StorageError: It was ended by a failure.
        """
        with self._lock:
            transaction.check_open()
            self._streams.ids.update(transaction.ids)
            self._streams.publish(transaction.pending)
            self._tables.publish(transaction.records)
            self._end(transaction, "has ended", transaction.rows)

    def rollback(self, transaction: OpenTransaction, reason: str, failure: BaseException | None = None) -> None:
        """Drop a transaction's rows; its positions stay holes (FEED-03). Idempotent."""
        # The garbage collector may close an abandoned block in this very thread while it is inside
        # of another transition: waiting for that would never end, so another thread does it.
        if not self._lock.acquire(timeout=_COLLECTOR_WAIT):
            threading.Thread(target=self.rollback, args=(transaction, reason, failure), daemon=True).start()
            return
        try:
            if transaction.end_reason is None:
                transaction.failure = failure
                self._end(transaction, reason, ())
        finally:
            self._lock.release()

    def _end(self, transaction: OpenTransaction, reason: str, committed: Sequence[EncodedEvent]) -> None:
        transaction.end_reason = reason
        self._feed.end(transaction, committed)
        for turn in tuple(transaction.turns):
            if turn.queued is not None:
                turn.signal.set()
            self._locks.finish(turn)
        self._locks.release(transaction.held)
        transaction.clear()

    def feed_page(self, start: int, end: int) -> list[EncodedEvent]:
        """The rows at these indexes of the feed, as `feed_bounds` gave them."""
        return self._feed.settled[start:end]

    def feed_bounds(self, after_position: int, identity: StoreIdentity | None) -> tuple[int, int]:
        """Where in the feed the rows above a position begin, and where the feed ends now.

        Raises:
            PositionAheadError: The position or the identity is from another history (FEED-08).
        """
        with self._lock:
            high = self._feed.high
            if identity is not None and identity != self._identity:
                reason = (
                    f"position {after_position} is from store {identity.store}, epoch {identity.epoch}, "
                    f"but this is store {self._identity.store}, epoch {self._identity.epoch}"
                )
                raise PositionAheadError(after_position, high, reason)
            if after_position > high:
                raise PositionAheadError(after_position, high)
            return self._feed.index_after(after_position), len(self._feed.settled)

    def head_position(self) -> int:
        """See `EventLog.head_position`."""
        with self._lock:
            return self._feed.head

    def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        with self._lock:
            return self._feed.status()

    def add_sleeper(self, sleeper: Sleeper) -> None:
        """Nudge somebody at each event from now on."""
        with self._lock:
            self._feed.sleepers.add(sleeper)

    def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        return self._identity

    def bump_epoch(self) -> StoreIdentity:
        """Begin a new epoch: positions saved with the old one are refused from now on."""
        with self._lock:
            self._identity = StoreIdentity(self._identity.store, self._identity.epoch + 1)
            return self._identity

    @property
    def has_holes(self) -> bool:
        """Whether events were purged, so that rows may be holes."""
        return self._feed.has_holes

    def hidden_version(self, stream_id: str) -> int:
        """Events of a stream up to here read as missing; 0 for most."""
        return self._streams.states.get(stream_id, UNMARKED).hidden_version

    def gone_version(self, stream_id: str) -> int:
        """Events of a stream up to here are hidden or purged; 0 for most."""
        state = self._streams.states.get(stream_id, UNMARKED)
        return max(state.hidden_version, state.purged_version)

    def rewriter(self) -> Rewriter:
        """What privacy operations work with, inside a change."""
        return Rewriter(self._streams, self._feed)

    def version(self, stream_id: str, draft: Draft | None) -> int:
        """A stream's version, as the draft's writer sees it; 0 where there is none."""
        with self._lock:
            return self._streams.version(stream_id, draft)

    def span(self, stream_id: str, start: int, end: int, draft: Draft | None) -> list[EncodedEvent]:
        """A stream's rows of versions above `start`, up to `end`, as the draft's writer sees them."""
        with self._lock:
            return self._streams.span(stream_id, start, end, draft)

    def stream_info(self, stream_id: str, draft: Draft | None) -> StreamInfo:
        """See `EventLog.stream_info`."""
        with self._lock:
            return self._streams.info(stream_id, draft)

    def stream_page(self, category: str | None, after: str, limit: int, draft: Draft | None) -> list[StreamInfo]:
        """See `EventLog.streams`."""
        with self._lock:
            return self._streams.page(category, after, limit, draft)


def _named(key: Key) -> str:
    if isinstance(key, str):
        return f"stream {key!r}"
    return f"{key[0]} {key[1]!r}" if isinstance(key, tuple) else f"event id {key}"


def _keys(change: Change[Any], records: Records) -> tuple[RecordKey, ...]:
    return change.keys(records) if callable(change.keys) else change.keys
