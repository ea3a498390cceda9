"""What is bounded stays bounded whatever the statistics say, and an id that two calls bring at once is one's."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mink_core import (
    DuplicateMessageError,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    Saga,
    SagaStatus,
    StorageError,
    TransientStorageError,
)
from mink_postgres import PostgresEventStore

NO_STREAM = ExpectedVersion.NO_STREAM


def analyze(store: PostgresEventStore, table: str) -> None:
    """A sub-query in a join is run once a row of the other side where the planner expects one."""
    with store.transaction() as tx:
        tx.connection.execute(f"ANALYZE {store._context.sql.quoted}.{table}")


def test_no_more_sagas_are_claimed_than_asked_for(store: PostgresEventStore) -> None:
    due_at = datetime.now(UTC) - timedelta(seconds=1)
    for number in range(20):
        store.sagas.save(Saga(f"s-{number}", "t", {}, due_at=due_at), expected_version=0)
        if not number:
            analyze(store, "sagas")
    assert [len(store.sagas.claim_due(limit=limit)) for limit in (1, 2, 100)] == [1, 2, 17]


def test_names_of_a_saga_that_no_index_takes_are_told(store: PostgresEventStore) -> None:
    letters = random.Random(1)  # what an index cannot compress

    def name(characters: int) -> str:
        """Four bytes a character."""
        return "".join(chr(letters.randrange(0x20000, 0x2A000)) for _ in range(characters))

    longest = SagaStatus.COMPENSATION_FAILED
    fits = Saga(name(500), name(150), {}, longest, name(150))
    assert store.sagas.save(fits, expected_version=0).version == 1
    for saga in (Saga(name(500), name(300)), Saga(name(500), "t", correlation_id=name(300))):
        with pytest.raises(StorageError, match=r"names are too long for an index.*nothing was stored.*2,600 bytes"):
            store.sagas.save(saga, expected_version=0)
        assert store.sagas.load(saga.saga_id) is None


def test_no_more_is_purged_than_asked_for(store: PostgresEventStore) -> None:
    for number in range(20):
        store.idempotency.reserve(f"k-{number}", ttl=0.001)
        store.outbox.add(OutboxMessage("t", number))
        if not number:
            analyze(store, "idempotency")
            analyze(store, "outbox")
    for message in store.outbox.claim("w", limit=20):
        store.outbox.complete(message)
    time.sleep(0.01)
    assert [store.idempotency.purge(limit=limit) for limit in (1, 2, 100)] == [1, 2, 17]
    assert [store.outbox.purge(older_than=0, limit=limit) for limit in (1, 2, 100)] == [1, 2, 17]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("unique", [False, True])
def test_an_id_that_another_call_is_storing(postgres_url: str, schema: str, count: int, unique: bool) -> None:
    """Neither the events without their message, nor a message of the other's: nothing is stored, and then it is told."""
    events = [NewEvent("Made", n) for n in range(count)]
    mine = OutboxMessage("t", "mine")
    theirs = OutboxMessage("t", "theirs", message_id=mine.message_id)
    url = f"{postgres_url}?application_name=mink%20limits"
    with (
        PostgresEventStore(url, schema=schema, min_size=1, unique_event_ids=unique) as store,
        psycopg.connect(postgres_url, autocommit=True) as other,
    ):
        store.initialize()
        told: list[Exception] = []

        def append() -> None:
            try:
                store.append("a-1", events, expected_version=NO_STREAM, outbox=mine)
            except Exception as error:  # noqa: BLE001 -- looked at below
                told.append(error)

        with store.transaction() as tx:
            tx.outbox.add(theirs)
            thread = threading.Thread(target=append)
            thread.start()
            waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'mink limits'"
            end = time.monotonic() + 8  # below the store's lock time-out
            while not other.execute(waiting).fetchall():
                assert time.monotonic() < end, "it does not wait for the id"
                time.sleep(0.01)
        thread.join()
        assert [type(error) for error in told] == [TransientStorageError]
        assert list(store.read_stream("a-1")) == []
        with pytest.raises(DuplicateMessageError):
            store.append("a-1", events, expected_version=NO_STREAM, outbox=mine)
        assert [message.payload for message in store.outbox.list()] == ["theirs"]
