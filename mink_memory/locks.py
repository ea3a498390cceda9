"""Who may write to which stream while transactions are open: first come, first served.

Every method is called under the log's lock; none of them waits. A stream that is released goes
to the first in its queue at once, so that a writer in a tight loop cannot overtake those who wait.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mink_memory.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mink_memory.keys import Key
    from mink_memory.open_transaction import OpenTransaction, Turn


class Locks:
    """The locks of a log and the queues before them."""

    __slots__ = ("_queues", "owners")

    def __init__(self) -> None:
        self.owners: dict[Key, OpenTransaction] = {}
        self._queues: dict[Key, deque[Turn]] = {}

    def take(self, turn: Turn) -> bool:
        """Take what the turn still needs; False when it was queued, and will be woken."""
        for key in turn.keys:
            owner = self.owners.get(key)
            if owner is None:
                self.owners[key] = turn.transaction
                turn.taken.append(key)
            elif owner is not turn.transaction:
                if turn.queued is None:
                    turn.signal.arm()
                    turn.queued = key
                    self._queues.setdefault(key, deque()).append(turn)
                return False
        return True

    def claim(self, transaction: OpenTransaction, keys: Iterable[Key]) -> None:
        """Lock what a transaction has changed without having waited for it, as nobody else had it."""
        for key in keys:
            if key not in self.owners:
                self.owners[key] = transaction
                transaction.held.append(key)

    def finish(self, turn: Turn) -> None:
        """End a turn: what its transaction has written to stays locked until the transaction ends."""
        if turn.queued is not None:
            queue = self._queues.get(turn.queued)
            if queue and turn in queue:  # it may have been interrupted before or after that
                queue.remove(turn)
            if not queue:
                self._queues.pop(turn.queued, None)
            turn.queued = None
        transaction, taken = turn.transaction, turn.taken
        kept = [key for key in taken if transaction.wrote(key)]
        transaction.held += kept
        if len(kept) != len(taken):
            self.release(transaction, [key for key in taken if not transaction.wrote(key)])
        turn.taken = []
        transaction.turns.discard(turn)  # last: the end of its transaction goes on with what was interrupted here

    def release(self, transaction: OpenTransaction, keys: Iterable[Key]) -> None:
        """Hand each lock of a transaction to the first who waits for it, or drop it. May be repeated."""
        for key in keys:
            if self.owners.get(key) is transaction:
                queue = self._queues.get(key)
                if not queue or not self._hand_over(key, queue):
                    self._queues.pop(key, None)
                    del self.owners[key]

    def _hand_over(self, key: Key, queue: deque[Turn]) -> bool:
        """Give a lock to the first in its queue who can be woken, if there is one."""
        # Woken first, and all else at once: where that was interrupted it is done again, and nobody waits in vain.
        waiting = list(queue)
        heir = next((index for index, turn in enumerate(waiting) if turn.signal.set()), None)
        if heir is None:
            return False
        turn, behind = waiting[heir], waiting[heir + 1 :]
        # Other calls of the same transaction need not wait for what it now has.
        companions = [other for other in behind if other.transaction is turn.transaction]
        for other in companions:
            other.signal.set()
        gone = {*waiting[: heir + 1], *companions}
        at_once(
            [
                (queue.clear,),
                (queue.extend, [other for other in waiting if other not in gone]),
                *((setattr, other, "queued", None) for other in gone),
                (self.owners.update, {key: turn.transaction}),  # by a dictionary: see `Tables.publishing`
                (turn.taken.append, key),
            ]
        )
        if not queue:
            self._queues.pop(key, None)
        return True
