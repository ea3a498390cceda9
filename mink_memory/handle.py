"""What a sync and an async store have in common: the log they are open on, and what is open on them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

from mink_core.capability import Capability
from mink_core.errors import StoreClosedError, UsageError
from mink_core.forks import watch
from mink_core.runtime.pace import Sleeper
from mink_core.transforms import checked_transforms
from mink_memory.names import open_log
from mink_memory.open_transaction import OpenTransaction

if TYPE_CHECKING:
    from mink_core.transforms import EventTransform

Clock: TypeAlias = Callable[[], datetime]
"""Gives the time now, aware and in UTC."""

LOCK_TIMEOUT = 10.0
"""Seconds that an append waits for a stream that a transaction has locked, unless told otherwise."""

utc_now: Clock = partial(datetime.now, UTC)

_CAPABILITIES = frozenset(
    {
        Capability.APPEND_BATCH,
        Capability.BACKWARDS,
        Capability.CHECKPOINTS,
        Capability.DURABLE_SUBSCRIPTIONS,
        Capability.PARTITIONS,
        Capability.METADATA_FILTER,
        Capability.TIME_FILTER,
        Capability.IDEMPOTENCY,
        Capability.OUTBOX,
        Capability.SAGAS,
        Capability.SNAPSHOTS,
        Capability.SUBSCRIBE,
        Capability.TRANSACTIONS,
    }
)


class Stoppable(Sleeper, Protocol):
    """A subscription, as its store nudges and ends it."""

    def stop(self) -> None:
        """End it."""
        ...


S = TypeVar("S", bound=Stoppable)


class Handle(Generic[S]):
    """One store's hold on a log: its options, its open transactions and subscriptions."""

    def __init__(  # noqa: PLR0913 -- the options of a store
        self,
        name: str | None,
        *,
        transforms: Iterable[EventTransform],
        unique_event_ids: bool,
        lock_timeout: float,
        clock: Clock,
        privacy: bool,
    ) -> None:
        """Find or make the log.

        Raises:
            UsageError: An option or the name is wrong, or the named log was opened with another
                `unique_event_ids`.
        """
        for given, option in ((unique_event_ids, "unique_event_ids"), (privacy, "privacy")):
            if type(given) is not bool:
                msg = f"{option} must be a bool, not {given!r:.60}"
                raise UsageError(msg)
        self.lock_timeout = check_lock_timeout(lock_timeout)
        self.transforms = checked_transforms(transforms)
        self.clock = clock
        self.log = open_log(name, unique_event_ids=unique_event_ids)
        optional = {Capability.UNIQUE_EVENT_IDS: unique_event_ids, Capability.PRIVACY: privacy}
        self.capabilities = _CAPABILITIES | {capability for capability, is_on in optional.items() if is_on}
        self._closed = False
        self._transactions: set[OpenTransaction] = set()
        self._subscriptions: WeakSet[S] = WeakSet()
        self._guard = threading.Lock()
        watch(self._is_forked)

    def _is_forked(self) -> None:
        """In a process that was forked from this one, which has a copy: of what is open there nobody will end anything."""
        self._guard = threading.Lock()
        self.log.is_forked()
        for transaction in list(self._transactions):
            with suppress(UsageError):
                self.log.rollback(transaction, "is the parent's of this process, which was forked while it was open")
        self._transactions.clear()

    def check_open(self) -> None:
        """Refuse the use of a closed store (LIFE-01).

        Raises:
            StoreClosedError: It is closed.
        """
        if self._closed:
            msg = "the memory store is closed; open another one on the same name to go on with its events"
            raise StoreClosedError(msg)

    def begin(self, doing: str) -> OpenTransaction:
        """Begin a transaction that ends at the latest with the store."""
        transaction = OpenTransaction(self.clock(), doing)
        self._transactions.add(transaction)
        try:
            self.check_open()  # after adding it, so that a close at this moment either ends it or is seen here
        except StoreClosedError:
            self._transactions.discard(transaction)
            raise
        return transaction

    def commit(self, transaction: OpenTransaction) -> None:
        """See `MemoryLog.commit`."""
        self._transactions.discard(transaction)
        self.log.commit(transaction)

    def rollback(self, transaction: OpenTransaction, failure: BaseException | None = None) -> None:
        """See `MemoryLog.rollback`."""
        self._transactions.discard(transaction)
        self.log.rollback(transaction, "has ended", failure)

    def add_subscription(self, subscription: S) -> None:
        """Note a subscription that ends at the latest with the store."""
        with self._guard:
            self.check_open()
            self._subscriptions.add(subscription)
        self.log.add_sleeper(subscription)

    def close(self) -> list[S]:
        """Refuse every further use, roll back what is open; tell which subscriptions are left to stop."""
        with self._guard:
            self._closed = True
            subscriptions = list(self._subscriptions)
        for transaction in list(self._transactions):
            self.log.rollback(transaction, "was rolled back as its store was closed")
            self._transactions.discard(transaction)  # last: a second call goes on with what was interrupted
        return subscriptions


def check_lock_timeout(value: object) -> float:
    """Refuse what is no time-out.

    Raises:
        UsageError: When it is no number of seconds above 0, or too large to wait for.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not 0 < value <= threading.TIMEOUT_MAX
    ):
        msg = f"lock_timeout must be a number of seconds above 0, not {value!r:.60}"
        raise UsageError(msg)
    return float(value)
