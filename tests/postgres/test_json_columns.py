"""Payloads in `json` columns: kept as they were written by every way in, and the same store in all else."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    SchemaError,
    StreamAppend,
    UsageError,
    open_async_store,
    open_store,
)
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.conditions import conditions
from tests.adapters.moving import event
from tests.postgres.grouped import always_grouped, record_groups
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = ExpectedVersion.ANY
TYPES = (
    "SELECT column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = '{name}' AND table_name = 'events' AND data_type LIKE 'json%' ORDER BY 1"
)
WRITTEN = "SELECT data::text, metadata::text FROM {schema}.events ORDER BY global_position"
# jsonb would order the keys by length, and put spaces between.
LONG_FIRST: Any = {"longest": [1.0, 1e16, -0.0], "b": None, "a": {}}
LONG_META: Any = {"tenant_id": "t", "n": 1}
AS_WRITTEN = ('{"longest":[1.0,10000000000000000.0,-0.0],"b":null,"a":{}}', '{"tenant_id":"t","n":1}')


def made(event_id: uuid.UUID | None = None) -> NewEvent:
    return NewEvent("Made", LONG_FIRST, LONG_META, event_id=event_id)


@pytest.fixture
def store(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, json_type="json", privacy=True) as opened:
        opened.initialize()
        yield opened


@pytest.fixture
def types(postgres_url: str, schema: str) -> Callable[[], list[Any]]:
    return lambda: raw(postgres_url, schema, TYPES.replace("{name}", schema))


BOTH_JSON = [("data", "json"), ("metadata", "json")]


def append_one(store: Any) -> None:
    store.append("a-1", [made()], expected_version=ANY)
    store.append("a-1", [made()], expected_version=1)


def append_more(store: Any) -> None:
    store.append("a-1", [made(), made()], expected_version=ANY)
    store.append("a-1", [made(), made()], expected_version=2)


def with_messages(store: Any) -> None:
    store.append("a-1", [made()], expected_version=ANY, outbox=[OutboxMessage("b", LONG_FIRST)])
    store.append("a-1", [made()], expected_version=1, outbox=[OutboxMessage("b", LONG_FIRST)])
    store.append("a-1", [made(), made()], expected_version=2, outbox=[OutboxMessage("b", LONG_FIRST)])
    assert [message.payload for message in store.outbox.list()] == [LONG_FIRST] * 3


def as_a_batch(store: Any) -> None:
    store.append_batch([StreamAppend("a-1", [made()], ANY), StreamAppend("a-2", [made(), made()], ANY)])


def in_a_transaction(store: Any) -> None:
    with store.transaction() as tx:
        tx.append("a-1", [made()], expected_version=0)
        tx.append("a-1", [made(), made()], expected_version=1)


def to_a_deleted_stream(store: Any) -> None:
    store.append("a-1", [made()], expected_version=0)
    store.privacy.soft_delete("a-1", by="me")
    store.append("a-1", [made()], expected_version=0)


WAYS = [append_one, append_more, with_messages, as_a_batch, in_a_transaction, to_a_deleted_stream]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_written_is_what_is_kept(
    postgres_url: str, schema: str, store: PostgresEventStore, way: Callable[[Any], None]
) -> None:
    way(store)
    rows = raw(postgres_url, schema, WRITTEN)
    assert rows == [AS_WRITTEN] * len(rows)
    assert len(rows) >= 2
    assert all(event.data == LONG_FIRST and event.metadata == LONG_META for event in store.read_all())
    assert [repr(number) for number in next(store.read_all()).data["longest"]] == ["1.0", "1e+16", "-0.0"]


@pytest.mark.parametrize("messages", [False, True], ids=["", "with messages"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg"])
def test_so_do_groups(postgres_url: str, schema: str, store: PostgresEventStore, scheme: str, messages: bool) -> None:
    """Opened without the option: the store sees by itself how it keeps payloads."""
    url = f"{postgres_url.replace('postgresql', scheme, 1)}?schema={schema}"
    store.append("g-0", [made()], expected_version=0)

    def outbox() -> list[OutboxMessage]:
        return [OutboxMessage("b", LONG_FIRST)] if messages else []

    async def many() -> list[int]:
        async with open_async_store(url) as other:
            await other.ping()
            sizes = record_groups(always_grouped(other))
            # Of one event each, of one and two, and a conflict in between: the ways that a group goes.
            for counts in ([1] * 20, [1, 2] * 10):
                calls = [
                    other.append(f"g-{number}", [made() for _ in range(count)], expected_version=ANY, outbox=outbox())
                    for number, count in enumerate(counts)
                ]
                calls.append(other.append("g-0", [made()], expected_version=99, outbox=outbox()))
                *_, refused = await asyncio.gather(*calls, return_exceptions=True)
                assert isinstance(refused, ConcurrencyError)
            return sizes

    assert max(asyncio.run(many())) > 10
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 51
    sent = [LONG_FIRST] * 40 if messages else []
    assert [message.payload for message in store.outbox.list(limit=1000)] == sent


def test_a_repeat_is_told_by_its_content(store: PostgresEventStore) -> None:
    """Whatever the order of its keys; `1` and `1.0` differ, as everywhere."""
    first = NewEvent("Made", {"a": 1, "b": [1.0]}, {"x": 1, "y": 2})
    result = store.append("a-1", [first], expected_version=0)
    other_order = NewEvent("Made", {"b": [1.0], "a": 1}, {"y": 2, "x": 1}, event_id=first.event_id)
    assert store.append("a-1", [other_order], expected_version=0) == result
    for data, metadata in (({"a": 1.0, "b": [1.0]}, {"x": 1, "y": 2}), ({"a": 1, "b": [1.0]}, {"x": 1, "y": 2.0})):
        changed = NewEvent("Made", data, metadata, event_id=first.event_id)
        with pytest.raises(DuplicateEventError):
            store.append("a-1", [changed], expected_version=0)
    without = NewEvent("Made", None, event_id=uuid.uuid4())
    result = store.append("a-2", [without], expected_version=0)
    assert store.append("a-2", [without], expected_version=0) == result


def test_filters_and_their_index(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    store.append("a-1", [NewEvent("Made", n, {"n": n, "of": "me"}) for n in range(20)], expected_version=0)
    found = store.read_all(where=EventFilter(metadata={"of": "me", "n": 7.0}))
    assert [it.data for it in found] == [7]
    raw(
        postgres_url,
        schema,
        "CREATE INDEX of_metadata ON {schema}.events USING gin ((metadata::jsonb) jsonb_path_ops)",
    )
    plan = (
        "SET enable_seqscan = off; SET enable_indexscan = off; EXPLAIN SELECT FROM {schema}.events "
        "WHERE metadata::jsonb @> '{\"n\": 7}'"
    )
    assert "of_metadata" in str(explained(postgres_url, schema, plan))


def explained(url: str, schema: str, statements: str) -> list[Any]:
    *settings, explain = statements.split(";")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in settings:
            connection.execute(setting)
        return connection.execute(explain.replace("{schema}", f'"{schema}"')).fetchall()


def test_the_index_of_jsonb_serves_as_before(postgres_url: str, schema: str) -> None:
    """The condition's cast is none to the planner where the column is jsonb already."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as usual:
        usual.initialize()
    raw(postgres_url, schema, "CREATE INDEX of_metadata ON {schema}.events USING gin (metadata jsonb_path_ops)")
    condition, _ = conditions(EventFilter(metadata={"n": 7}))
    plan = f"""SET enable_seqscan = off; EXPLAIN SELECT FROM {{schema}}.events WHERE true {condition.replace("$4", "'{}'")}"""
    assert "of_metadata" in str(explained(postgres_url, schema, plan))


def test_redacted_and_imported_events_are_json_too(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    store.append("a-1", [made(), made()], expected_version=0)
    store.privacy.redact("a-1", 1, data={"gone": True}, metadata={"by": "me"}, by="me")
    imported = [event(version, stream_id="b-1", data=LONG_FIRST, metadata=LONG_META) for version in (1, 2)]
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        assert administration.import_events(imported) == 2
        assert administration.import_events(imported) == 0
    (redacted, *rest) = store.read_all()
    assert (redacted.data, redacted.metadata) == ({"gone": True}, {"by": "me"})
    assert [it.data for it in rest] == [LONG_FIRST] * 3
    assert raw(postgres_url, schema, WRITTEN)[1:] == [AS_WRITTEN] * 3


def test_large_ones_are_compressed_and_partitions_are_json(
    postgres_url: str, schema: str, types: Callable[[], list[Any]]
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, json_type="json", hash_partitions=3) as parted:
        parted.initialize()
        parted.initialize()
        assert types() == BOTH_JSON
        for number in range(5):
            parted.append(f"a-{number}", [made()], expected_version=0)
        assert parted.check() == []
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 5
    chosen = raw(
        postgres_url,
        schema,
        "SELECT DISTINCT a.attcompression FROM pg_attribute AS a WHERE a.atttypid = 'json'::regtype "
        "AND a.attrelid IN (SELECT tableoid FROM {schema}.events UNION SELECT '{schema}.events'::regclass)",
    )
    with_lz4 = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    assert chosen == [("l" if raw(postgres_url, "", with_lz4) == [(True,)] else "",)]


def test_a_json_store_moves_into_partitions(
    postgres_url: str, schema: str, store: PostgresEventStore, types: Callable[[], list[Any]]
) -> None:
    for number in range(5):
        store.append(f"a-{number}", [made()], expected_version=0)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.partition(2)
    assert types() == BOTH_JSON
    store.append("a-0", [made()], expected_version=1)
    assert raw(postgres_url, schema, WRITTEN) == [AS_WRITTEN] * 6


def test_only_a_store_without_events_is_made_so(postgres_url: str, schema: str, types: Callable[[], list[Any]]) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as usual:
        usual.initialize()
        assert types() == [("data", "jsonb"), ("metadata", "jsonb")]
        with PostgresEventStore(postgres_url, schema=schema, min_size=1, json_type="json") as late:
            late.initialize()
            assert types() == BOTH_JSON
            # One that was open already goes on, by functions that take jsonb.
            usual.append("a-1", [NewEvent("Made", {"longest": 1, "b": 2})], expected_version=0)
            usual.append("a-1", [NewEvent("Made", {"longest": 1, "b": 2})], expected_version=1)
            late.append("a-1", [NewEvent("Made", {"longest": 1, "b": 2})], expected_version=2)
        assert [it.data for it in usual.read_all()] == [{"longest": 1, "b": 2}] * 3
        assert usual.check() == []


def test_a_store_that_holds_events_is_left_alone(
    postgres_url: str, schema: str, types: Callable[[], list[Any]]
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as usual:
        usual.initialize()
        usual.append("a-1", [made()], expected_version=0)
        with (
            PostgresEventStore(postgres_url, schema=schema, min_size=1, json_type="json") as late,
            pytest.raises(SchemaError, match=r"holds events as jsonb; nothing was changed.*mink payloads json"),
        ):
            late.initialize()
        assert types() == [("data", "jsonb"), ("metadata", "jsonb")]
        usual.append("a-1", [made()], expected_version=1)


def test_columns_that_somebody_has_changed_are_fitted_out(
    postgres_url: str, schema: str, types: Callable[[], list[Any]]
) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as usual:
        usual.initialize()
        usual.append("a-1", [NewEvent("Made", {"b": 1})], expected_version=0)
    raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER data TYPE json, ALTER metadata TYPE json")
    with (
        PostgresEventStore(postgres_url, schema=schema, min_size=1) as before,
        pytest.raises(SchemaError, match="keeps payloads as json, but its functions do not: run `mink init`"),
    ):
        before.append("a-1", [made()], expected_version=1)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as after:
        after.initialize()
        again = made()
        result = after.append("a-1", [again], expected_version=1)
        assert after.append("a-1", [again], expected_version=1) == result
    assert types() == BOTH_JSON
    assert raw(postgres_url, schema, WRITTEN) == [('{"b": 1}', None), AS_WRITTEN]


def test_other_types_are_refused(postgres_url: str) -> None:
    for wrong in ("JSON", "text", ""):
        with pytest.raises(UsageError, match="json_type must be 'jsonb' or 'json'"):
            open_store(f"{postgres_url}?json_type={wrong}")
    with pytest.raises(UsageError, match="json_type must be of type str"):
        PostgresEventStore(postgres_url, json_type=None)
