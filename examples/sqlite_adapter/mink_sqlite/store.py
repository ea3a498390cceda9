"""The store."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn, Self
from weakref import WeakSet

from mink_core import Capability, CapabilityNotSupportedError, EventFilter, FeedStatus, Finding, StoreIdentity
from mink_core.adapter import (
    EVERYTHING,
    POLL_INTERVAL,
    Durable,
    PollingSubscription,
    SubStores,
    Updating,
    exact_version,
    prepare_append,
    prepare_batch,
    store_appends,
)
from mink_sqlite.checkpoints import SqliteCheckpoints
from mink_sqlite.database import Database
from mink_sqlite.reading import SqliteReader, head_position, read_identity
from mink_sqlite.staging import SqliteStaging, high_position

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from mink_core import (
        AppendResult,
        EventTransform,
        Expected,
        NewEvent,
        OutboxMessage,
        StreamAppend,
        SubscriptionWorker,
    )
    from mink_core.adapter import PreparedAppend

CAPABILITIES = frozenset(
    {
        Capability.APPEND_BATCH,
        Capability.BACKWARDS,
        Capability.METADATA_FILTER,
        Capability.TIME_FILTER,
        Capability.SUBSCRIBE,
        Capability.CHECKPOINTS,
    }
)
LOCK_TIMEOUT = 10.0
"""Seconds that an append waits for another writer of the file, unless told otherwise."""


class SqliteEventStore(SqliteReader, Updating, Durable, SubStores):
    """An event store in a SQLite file. Safe to use from several threads and processes."""

    adapter_name = "sqlite"

    def __init__(
        self, path: str, *, transforms: Iterable[EventTransform] = (), lock_timeout: float = LOCK_TIMEOUT
    ) -> None:
        """Note where the file is; nothing is opened yet.

        Args:
            path: The file; made at `initialize()`.
            transforms: What events go through on their way out and in.
            lock_timeout: Seconds that an append waits for another writer.
        """
        self._database = Database(path, lock_timeout)
        self._transforms = tuple(transforms)
        self._subscriptions: WeakSet[PollingSubscription] = WeakSet()
        self._guard = threading.Lock()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See `EventStore.capabilities`."""
        return CAPABILITIES

    def initialize(self) -> None:
        """See `EventStore.initialize`."""
        self._database.initialize()

    def append(
        self,
        stream_id: str,
        events: Iterable[NewEvent],
        *,
        expected_version: Expected,
        outbox: OutboxMessage | Iterable[OutboxMessage] = (),
    ) -> AppendResult:
        """See `EventStore.append`."""
        self._database.check_open()
        self.refuse_messages(outbox)
        return self._write([prepare_append(stream_id, events, expected_version, self._transforms)])[0]

    def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `EventStore.append_batch`."""
        self._database.check_open()
        return self._write(prepare_batch(items, self._transforms))

    def _write(self, items: list[PreparedAppend]) -> list[AppendResult]:
        exact = all(exact_version(item.expected) is not None for item in items)
        with self._database.writing(retry_is_safe=exact) as connection:
            return store_appends(SqliteStaging(connection), items)

    def subscribe(
        self,
        *,
        after_position: int = 0,
        where: EventFilter = EVERYTHING,
        batch_size: int = 100,
        poll_interval: float = POLL_INTERVAL,
        identity: StoreIdentity | None = None,
    ) -> PollingSubscription:
        """See `Subscriber.subscribe`."""
        subscription = PollingSubscription(
            self,
            after_position=after_position,
            where=where,
            batch_size=batch_size,
            poll_interval=poll_interval,
            identity=identity,
        )
        with self._guard:
            self._database.check_open()
            self._subscriptions.add(subscription)
        return subscription

    def _watch(self, worker: SubscriptionWorker) -> None:
        """See `Durable`: it refuses before this where DURABLE_SUBSCRIPTIONS is not declared."""

    @property
    def checkpoints(self) -> SqliteCheckpoints:
        """Named positions (`Capability.CHECKPOINTS`)."""
        return SqliteCheckpoints(self._database)

    def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        with self._database.reading() as connection:
            return read_identity(connection)

    def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`: one writer at a time, so nobody ever holds the feed back."""
        with self._database.reading() as connection:
            high = high_position(connection)
            return FeedStatus(head_position(connection), high, high, ())

    def check(self) -> list[Finding]:
        """See `Store.check`."""
        with self._database.reading() as connection:
            damaged = connection.execute("PRAGMA quick_check").fetchall()
            behind = connection.execute(
                "SELECT stream_id, streams.version, max(events.version), count(events.version) "
                "FROM streams LEFT JOIN events USING (stream_id) GROUP BY stream_id "
                "HAVING streams.version <> max(events.version) OR streams.version <> count(events.version)"
            ).fetchall()
        found = [Finding("file", "", problem) for (problem,) in damaged if problem != "ok"]
        return found + [
            Finding("stream", stream_id, f"version {version} in streams, but {count} events up to {newest}")
            for stream_id, version, newest, count in behind
        ]

    def transaction(self) -> NoReturn:
        """Refused: an open transaction would lock every other writer of the file out."""
        raise CapabilityNotSupportedError(self.adapter_name, Capability.TRANSACTIONS)

    def ping(self) -> None:
        """See `EventStore.ping`."""
        with self._database.reading() as connection:
            connection.execute("SELECT 1")

    def close(self) -> None:
        """See `EventStore.close`."""
        with self._guard:
            subscriptions = list(self._subscriptions)
            self._database.close()
        for subscription in subscriptions:
            subscription.close()

    def __enter__(self) -> Self:
        """The store; the file is opened when it is first needed."""
        self._database.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


if TYPE_CHECKING:
    from mink_core import Store

    _store: Store = SqliteEventStore("")
