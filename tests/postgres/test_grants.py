"""Least privilege: what each role may and may not do, by the stores of both doors and by raw SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import (
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    Saga,
    StorageError,
    StreamAppend,
    open_async_store,
    open_namespaces,
    open_store,
)
from mink_core.administration import Access
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from tests.postgres.roles import RAW_INSERT, Open, Roles, admin_in_test_database_url, as_session, refused

NEVER = (
    "UPDATE {schema}.events SET data = '0'",
    "DELETE FROM {schema}.events",
    "TRUNCATE {schema}.events",
    "TRUNCATE {schema}.streams",
    "INSERT INTO {schema}.events (global_position, stream_id, version, event_type, data) VALUES (99, 'x', 9, 'X', '0')",
    "SELECT setval('{schema}.events_global_position_seq', 1)",
    "UPDATE {schema}.streams SET stream_id = 'b'",
    "UPDATE {schema}.store SET epoch = 9",
    "DELETE FROM {schema}.schema_migrations",
    "CREATE TABLE {schema}.mine (a int)",
    "ALTER TABLE {schema}.events DISABLE TRIGGER ALL",
    "DROP TABLE {schema}.snapshots",
)


@pytest.mark.parametrize("access", [Access.WRITER, Access.READER, Access.SUBSCRIBER])
def test_no_role_but_the_owner_changes_or_removes_anything(
    granted: Callable[..., str], session: Open, access: Access
) -> None:
    opened = as_session(session, granted(access))
    for statement in NEVER:
        refused(opened, statement)
    # The privacy switch alone gives nobody a privilege.
    opened.run("SELECT {schema}.allow_rewriting()")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.run("DELETE FROM {schema}.events")


def test_the_writer_appends_and_reads_by_both_doors(granted: Callable[..., str], session: Open) -> None:
    url = granted(Access.WRITER)
    with open_store(url) as store:
        # Allowed, since there is nothing to do: no DDL at run time.
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
        store.append_batch([StreamAppend(name, [NewEvent("Made", {})], ExpectedVersion.ANY) for name in ("b-1", "a-1")])
        with pytest.raises(Exception, match="expected"):
            store.append_batch([StreamAppend("c-1", [NewEvent("A", 1)], 0), StreamAppend("a-1", [NewEvent("A", 1)], 0)])
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("Made", {})], expected_version=2)
        assert [it.stream_id for it in store.read_all()] == ["old-1", "a-1", "b-1", "a-1", "a-1"]
        assert [it.stream_id for it in store.streams()] == ["a-1", "b-1", "old-1"]
        assert store.feed_status().holders == ()
        with store.subscribe() as subscription:
            assert len(next(subscription)) == 5
        with pytest.raises(StorageError, match="lacks a privilege"):
            store.bump_epoch()  # type: ignore[attr-defined]

    async def work() -> int:
        async with open_async_store(url.replace("postgresql:", "postgresql+asyncpg:")) as store:
            await store.initialize()
            await store.append("a-1", [NewEvent("Made", {})], expected_version=3)
            return len([event async for event in store.read_all()])

    assert asyncio.run(work()) == 6
    # Raw SQL is fenced and its position comes from the sequence.
    opened = as_session(session, url)
    opened.run(RAW_INSERT, 1)
    with open_store(url) as store:
        assert len(store.feed_status().holders) == 1


@pytest.mark.parametrize("access", [Access.READER, Access.SUBSCRIBER])
def test_who_only_reads_cannot_append_by_either_door(
    granted: Callable[..., str], session: Open, access: Access
) -> None:
    url = granted(access)
    with open_store(url) as store:
        store.initialize()
        assert [it.stream_id for it in store.read_all()] == ["old-1"]
        assert store.poll(0).next_position == store.head_position() == 1
        assert store.stream_info("old-1").version == 1
        for stream in ("old-1", "new-1"):
            with pytest.raises(StorageError, match="lacks a privilege"):
                store.append(stream, [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY)

    async def work() -> None:
        async with open_async_store(url.replace("postgresql:", "postgresql+asyncpg:")) as store:
            assert (await store.poll(0)).next_position == 1
            with pytest.raises(StorageError, match="lacks a privilege"):
                await store.append("old-1", [NewEvent("Made", {})], expected_version=1)

    asyncio.run(work())
    opened = as_session(session, url)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.run(RAW_INSERT, 1)


def test_only_the_subscriber_keeps_checkpoints(granted: Callable[..., str], session: Open) -> None:
    insert = "INSERT INTO {schema}.checkpoints (projection_name, position) VALUES ('totals', 1)"
    subscriber = as_session(session, granted(Access.SUBSCRIBER))
    subscriber.run(insert)
    for access in (Access.READER, Access.WRITER):
        refused(as_session(session, granted(access)), insert)


def test_accesses_add_up_and_a_smaller_one_takes_away(granted: Callable[..., str], session: Open) -> None:
    both = as_session(session, granted(Access.SUBSCRIBER, Access.WRITER))
    both.run("INSERT INTO {schema}.checkpoints (projection_name, position) VALUES ('totals', 1)")
    both.run(RAW_INSERT, 1)
    both.rollback()
    granted(Access.SUBSCRIBER)
    refused(both, RAW_INSERT.replace("%s", "1"))
    # Not by the sequence alone: every privilege beyond is gone.
    assert both.value("SELECT has_any_column_privilege('{schema}.events', 'INSERT')") is False
    assert both.value("SELECT has_any_column_privilege('{schema}.streams', 'INSERT, UPDATE')") is False
    assert both.value("SELECT has_table_privilege('{schema}.streams', 'DELETE')") is False
    assert both.value("SELECT has_table_privilege('{schema}.checkpoints', 'INSERT')") is True


def test_the_owner_migrates_and_rewrites(
    granted: Callable[..., str],
    session: Open,
    admin_in_test_database: str,
    postgres_url: str,
    schema: str,
    roles: Roles,
) -> None:
    """A new owner takes over the schema, and the old one may no longer change it."""
    role = conninfo_to_dict(roles["owner"])["user"]
    with open_administration(f"{admin_in_test_database_url(admin_in_test_database)}?schema={schema}") as administration:
        administration.grant(str(role), [Access.OWNER])
    opened = session(roles["owner"])
    opened.run("SELECT {schema}.allow_rewriting()")
    opened.run("UPDATE {schema}.events SET data = '{}'")
    opened.run("ALTER TABLE {schema}.snapshots ADD COLUMN later integer")
    opened.run("CREATE TABLE {schema}.mine (a int)")
    opened.run("CREATE OR REPLACE FUNCTION {schema}.fence() RETURNS void LANGUAGE sql AS 'SELECT'")
    opened.rollback()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session().run("ALTER TABLE {schema}.snapshots ADD COLUMN later integer")
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        admin.execute(f'DROP SCHEMA "{schema}" CASCADE')


def test_the_stores_around_the_log_need_no_more_than_their_access(
    granted: Callable[..., str], store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    """T16, T18: listing and reading change nothing, and no DDL is needed at run time."""
    with open_store(f"{postgres_url}?schema={schema}&privacy=true") as owner:
        owner.append("gone-1", [NewEvent("Made", {})], expected_version=0)
        owner.privacy.soft_delete("gone-1", by="x")
    for access in (Access.WRITER, Access.SUBSCRIBER):
        with open_store(granted(access)) as opened:
            name = access.value
            opened.outbox.add(OutboxMessage("t", name))
            opened.outbox.complete(opened.outbox.claim(name)[-1])
            opened.snapshots.save(f"{name}-1", 1, {}, keep=2)
            opened.snapshots.save(f"{name}-1", 2, {}, keep=2)
            assert opened.snapshots.delete(f"{name}-1", up_to_version=1) == 1
            opened.idempotency.complete(opened.idempotency.reserve(name), 1)
            opened.sagas.save(Saga(name, "T"), expected_version=0)
            assert opened.sagas.claim_due() == []
    with open_store(granted(Access.WRITER)) as opened:
        opened.append("b-1", [NewEvent("Made", {})], expected_version=0, outbox=[OutboxMessage("t", 1)])
        # What was soft-deleted comes back by an append, which no privacy operation is.
        assert opened.append("gone-1", [NewEvent("Made", {})], expected_version=0).first_version == 2
    url = granted(Access.READER)
    with open_store(url) as opened:
        assert [info.stream_id for info in opened.snapshots.list()] == ["subscriber-1", "writer-1"]
        assert opened.snapshots.load_with_tail("writer-1").snapshot is None
        assert len(opened.outbox.list()) == 3
        assert [saga.saga_id for saga in opened.sagas.find()] == ["subscriber", "writer"]
        assert [record.key for record in opened.idempotency.list()] == ["subscriber", "writer"]
        assert [event.version for event in opened.read_stream("gone-1")] == [2]
        assert [info.deleted_at for info in opened.streams()] == [None, None, None]
        for call in (
            lambda: opened.outbox.add(OutboxMessage("t", 1)),
            lambda: opened.snapshots.save("r-1", 1, {}),
            lambda: opened.idempotency.reserve("r"),
            lambda: opened.sagas.save(Saga("r", "T"), expected_version=0),
        ):
            with pytest.raises(StorageError, match="lacks a privilege"):
                call()
    with open_store(f"{granted(Access.WRITER)}&privacy=true") as opened:
        for operation in (opened.privacy.soft_delete, opened.privacy.tombstone, opened.privacy.purge):
            with pytest.raises(StorageError, match="lacks a privilege"):
                operation("b-1", by="x")


def test_a_namespace_is_dropped_by_its_owner_only(store: PostgresEventStore, schema: str, roles: Roles) -> None:
    with open_namespaces(roles["reader"]) as namespaces, pytest.raises(StorageError, match=r"privilege|owner"):
        namespaces.drop(schema)


def test_a_partition_gives_nobody_more_than_its_table(
    postgres_url: str, schema: str, session: Open, roles: Roles
) -> None:
    role = str(conninfo_to_dict(roles["reader"])["user"])
    with open_store(f"{postgres_url}?schema={schema}&hash_partitions=2&min_size=1") as store:
        store.initialize()
    opened = session()
    opened.run(f'GRANT ALL ON ALL TABLES IN SCHEMA {{schema}} TO "{role}"')
    opened.commit()
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.grant(role, [Access.READER])
    for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        asked = f"SELECT has_table_privilege('{role}', '{{schema}}.events_p0', '{privilege}')"
        assert opened.value(asked) is False
    with open_store(f"{roles['reader']}?schema={schema}&min_size=1") as store:
        assert list(store.read_all()) == []
