"""Privacy operations beside appends: what is held open by hand cannot slip by (PRIV-01, PRIV-02)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, OutboxMessage, StreamAppend, StreamTombstonedError, open_async_store
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.postgres.sessions import Session

ANY = ExpectedVersion.ANY


def made(count: int = 1) -> list[NewEvent]:
    return [NewEvent("Made", n) for n in range(count)]


@pytest.fixture
def private(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, privacy=True, min_size=1) as store:
        store.initialize()
        store.append("a-1", made(2), expected_version=0)
        yield store


WAYS: dict[str, Callable[[Any], Any]] = {
    "one event": lambda store: store.append("a-1", made(), expected_version=ANY),
    "two events": lambda store: store.append("a-1", made(2), expected_version=2),
    "with a message": lambda store: store.append("a-1", made(), expected_version=ANY, outbox=[OutboxMessage("t", 1)]),
    "batch": lambda store: store.append_batch([StreamAppend("a-1", made(), ANY), StreamAppend("b-1", made(), ANY)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_append_that_waits_for_a_tombstone_is_refused(
    private: PostgresEventStore, session: Callable[..., Session], way: str
) -> None:
    closing = session()
    closing.run("SELECT {schema}.tombstone_stream('a-1', 'a', 'x', '')")
    errors: list[Exception] = []

    def append() -> None:
        # A batch that looked before the tombstone was there is told to try again, and is refused then.
        for _ in range(2):
            try:
                WAYS[way](private)
            except StreamTombstonedError as error:
                errors.append(error)
                return
            except Exception as error:  # noqa: BLE001 -- judged below
                errors.append(error)

    appending = threading.Thread(target=append)
    appending.start()
    appending.join(0.3)
    assert appending.is_alive()
    closing.commit()
    appending.join(60)
    assert isinstance(errors[-1], StreamTombstonedError), errors
    assert private.stream_info("a-1").version == 2
    assert private.outbox.list() == []
    assert [info.stream_id for info in private.streams()] == ["a-1"]


def test_a_tombstone_waits_for_an_open_append(private: PostgresEventStore) -> None:
    with private.transaction() as tx:
        tx.append("a-1", made(), expected_version=2)
        closing = threading.Thread(target=private.privacy.tombstone, args=("a-1",), kwargs={"by": "x"})
        closing.start()
        closing.join(0.3)
        assert closing.is_alive()
    closing.join(60)
    [record] = private.privacy.audit()
    assert record.version == private.stream_info("a-1").version == 3
    with pytest.raises(StreamTombstonedError):
        private.append("a-1", made(), expected_version=3)


def test_grouped_appends_each_get_their_answer(postgres_url: str, schema: str, private: PostgresEventStore) -> None:
    private.privacy.tombstone("closed-1", by="x")
    private.privacy.soft_delete("a-1", by="x")

    async def work() -> list[Any]:
        async with open_async_store(
            f"{postgres_url.replace('postgresql:', 'postgresql+asyncpg:')}?schema={schema}"
        ) as store:
            calls = [
                store.append(name, made(), expected_version=expected)
                for name, expected in [("closed-1", ANY), ("a-1", 0), *((f"b-{n}", 0) for n in range(30))]
            ]
            return list(await asyncio.gather(*calls, return_exceptions=True))

    closed, back, *others = asyncio.run(work())
    assert isinstance(closed, StreamTombstonedError)
    assert back.first_version == 3
    assert [result.first_version for result in others] == [1] * 30
    assert [event.version for event in private.read_stream("a-1")] == [3]


def test_no_position_is_skipped_while_a_redaction_is_open(
    private: PostgresEventStore, session: Callable[..., Session]
) -> None:
    """T3: a rewritten row carries a new transaction id, and no reader here goes by that."""
    private.append("b-1", made(3), expected_version=0)
    writer = session()
    writer.append("b-1")  # an older transaction that writes stays open throughout
    private.privacy.redact("a-1", 2, data="gone", by="x")
    page = private.poll(0)
    assert [(event.stream_id, event.version) for event in page.events] == [
        ("a-1", 1),
        ("a-1", 2),
        ("b-1", 1),
        ("b-1", 2),
        ("b-1", 3),
    ]
    assert page.events[1].data == "gone"
    writer.commit()
    assert [event.version for event in private.poll(page.next_position).events] == [4]


def test_only_the_owner_rewrites(private: PostgresEventStore, postgres_url: str, schema: str) -> None:
    with psycopg.connect(postgres_url) as connection, pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        connection.execute(f"UPDATE \"{schema}\".events SET data = '0'")
    private.privacy.redact("a-1", 1, data=0, by="x")
    private.privacy.purge("a-1", by="x")
    # The switch was local to their transactions, on connections that the pool lends again.
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState), private.transaction() as tx:
        tx.connection.execute(f'DELETE FROM "{schema}".events')
    assert private.check() == []
