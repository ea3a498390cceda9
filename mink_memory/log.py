"""The log: the transitions of a memory store's history, under one lock.

An open transaction's rows wait in its draft. Committed rows are in their streams at once, and in
the feed once no open transaction can still commit below them. Nothing here waits for a
transaction: who has to wait is told so, and is woken by a signal.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from mink_core.deciding import fits
from mink_core.encoded import result_of
from mink_core.errors import TransientStorageError
from mink_core.stream_state import UNMARKED
from mink_memory.at_once import at_once
from mink_memory.drafts import Draft
from mink_memory.history import History
from mink_memory.keys import keys_of
from mink_memory.records import Records
from mink_memory.rewriting import Rewriter
from mink_memory.staging import new_rows, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mink_core.events import AppendResult
    from mink_core.prepare import PreparedAppend
    from mink_memory.at_once import Step
    from mink_memory.keys import Key, RecordKey
    from mink_memory.open_transaction import OpenTransaction, Turn
    from mink_memory.records import Change
    from mink_memory.rows import Row

T = TypeVar("T")
_COLLECTOR_WAIT = 1.0


class MemoryLog(History):
    """One history, shared by every store that is opened on it, and its transitions. Safe from any thread."""

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
                    results = [result_of(new)]
                    committed, feed.high = feed.open_end, feed.high + len(new)
                    # As `at_once` does, without what it costs: nothing is called in these lines.
                    if rows is None:
                        streams.rows[item.stream_id] = new
                        streams.new_names += (item.stream_id,)
                    else:
                        rows += new
                    committed += new
                    feed.added()
                    return results
            draft = Draft()
            results = stage(streams, draft, items, feed.high, clock)
            feed.high += len(draft.rows)
            at_once([*streams.publishing(draft), (feed.open_end.extend, draft.rows)])
            feed.added()
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
            at_once([*self._rewriting(records.rewriters), *self._tables.publishing(own)])
            self._sweep(own)
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
                transaction.records, transaction.rewriters = own, {**transaction.rewriters, **records.rewriters}
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
            steps = [*self._streams.publishing(transaction), *self._tables.publishing(transaction.records)]
            if transaction.rewriters:
                steps += self._rewriting(transaction.rewriters)
            self._end(transaction, "has ended", transaction.rows, steps)

    def rollback(self, transaction: OpenTransaction, reason: str, failure: BaseException | None = None) -> None:
        """Drop a transaction's rows; its positions stay holes (FEED-03). Idempotent."""
        # The garbage collector may close an abandoned block in this very thread while it is inside
        # of another transition: waiting for that would never end, so another thread does it.
        acquired: list[bool] = []
        try:
            # One call of C: Ctrl-C comes before the lock is taken, or once that is noted.
            acquired.extend(map(self._lock.acquire, (True,), (_COLLECTOR_WAIT,)))
            if acquired == [False]:
                threading.Thread(target=self.rollback, args=(transaction, reason, failure), daemon=True).start()
                return
            if transaction.end_reason is None:
                transaction.failure = failure
                self._end(transaction, reason, (), [])
            else:  # its commit may have been interrupted once it was made
                self._leave(transaction)
        finally:
            if acquired == [True]:
                self._lock.release()

    def _end(self, transaction: OpenTransaction, reason: str, committed: Sequence[Row], steps: list[Step]) -> None:
        at_once([*steps, *self._feed.ending(transaction, committed), (setattr, transaction, "end_reason", reason)])
        self._leave(transaction)

    def _leave(self, transaction: OpenTransaction) -> None:
        """Let go of what an ended transaction has. Idempotent."""
        self._feed.ended()
        for turn in tuple(transaction.turns):
            if turn.queued is not None:
                turn.signal.set()
            self._locks.finish(turn)
        self._locks.release(transaction, transaction.held)
        self._sweep(transaction.records)
        transaction.clear()

    def _sweep(self, own: dict[RecordKey, Any]) -> None:
        self._tables.sweep(own)
        if self._streams.purged:
            self._streams.sweep()

    def rewriter(self, stream_id: str, records: Records) -> Rewriter:
        """What a privacy operation works with, inside a change that has locked the stream."""
        rewriter = records.rewriters[stream_id] = Rewriter(
            self._streams.rows.get(stream_id, ()), self._streams.states.get(stream_id, UNMARKED)
        )
        return rewriter

    def _rewriting(self, rewriters: dict[str, Rewriter]) -> list[Step]:
        steps: list[Step] = []
        for stream_id, rewriter in rewriters.items():
            steps += self._feed.rewriting([row for _, row in rewriter.rewritten])
            steps += self._streams.rewriting(stream_id, rewriter)
        return steps


def _named(key: Key) -> str:
    if isinstance(key, str):
        return f"stream {key!r}"
    return f"{key[0]} {key[1]!r}" if isinstance(key, tuple) else f"event id {key}"


def _keys(change: Change[Any], records: Records) -> tuple[Key, ...]:
    return change.keys(records) if callable(change.keys) else change.keys
