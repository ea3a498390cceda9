"""Least privilege: what each role may and may not do, by the stores of both doors and by raw SQL."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mink_core import (
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    Saga,
    StorageError,
    StreamAppend,
    UsageError,
    open_async_store,
    open_namespaces,
    open_store,
)
from mink_core.administration import Access
from mink_core.errors import SchemaError
from mink_core.registry import open_administration
from mink_postgres.programs.grants import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mink_postgres import PostgresEventStore
    from tests.postgres.sessions import Session

    Open = Callable[..., Session]

HOSTILE = 'app"; DROP SCHEMA public; --'
Roles = dict[str, str]


@pytest.fixture(scope="module")
def roles(admin_url: str, postgres_url: str) -> Iterator[Roles]:
    """The URL of a fresh login for each access, and of one with a hostile name."""
    place = conninfo_to_dict(postgres_url)
    names = {it.value: f"mink_{it.value}_{os.getpid()}" for it in Access} | {"hostile": HOSTILE}
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for name in names.values():
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'plain'").format(sql.Identifier(name)))
    yield {
        key: f"postgresql://{name}:plain@{place['host']}:{place['port']}/{place['dbname']}"
        for key, name in names.items()
    }
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for name in names.values():
            admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
    database = psycopg.conninfo.make_conninfo(admin_url, dbname=str(place["dbname"]))
    with psycopg.connect(database, autocommit=True) as admin:
        for name in names.values():
            admin.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def granted(store: PostgresEventStore, postgres_url: str, schema: str, roles: Roles) -> Iterator[Callable[..., str]]:
    """Grants an access to its role and gives the URL of the store as that role."""
    store.append("old-1", [NewEvent("Made", {})], expected_version=0)

    def grant(*access: Access) -> str:
        role = conninfo_to_dict(roles[access[0].value])["user"]
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(str(role), access)
        return f"{roles[access[0].value]}?schema={schema}&min_size=1"

    return grant  # type: ignore[return-value]


def as_session(session: Open, url: str) -> Session:
    return session(url.partition("?")[0])


def refused(opened: Session, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.run(statement)
    opened.rollback()


RAW_INSERT = "INSERT INTO {schema}.events (stream_id, version, event_type, data) VALUES ('raw-1', %s, 'X', '0')"
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


def admin_in_test_database_url(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    user = f"{parts['user']}:{quote(str(parts.get('password', '')), safe='')}"
    return f"postgresql://{user}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def test_the_printed_script_is_what_is_applied(
    granted: Callable[..., str], session: Open, postgres_url: str, schema: str, roles: Roles
) -> None:
    role = str(conninfo_to_dict(roles["writer"])["user"])
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        script = administration.grants_script(role, [Access.WRITER])
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(script)  # type: ignore[arg-type]
    as_session(session, roles["writer"]).run(RAW_INSERT, 1)


def test_a_hostile_role_is_a_name_and_nothing_else(granted: Callable[..., str], postgres_url: str, schema: str) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.grant(HOSTILE, [Access.READER])
        assert '"app""; DROP SCHEMA public; --"' in administration.grants_script(HOSTILE, [Access.READER])


@pytest.mark.parametrize("role", ["", "public", "none", "x" * 64, "a\nb", "a\0b", None, 7])
def test_what_is_no_role_s_name_is_refused(
    postgres_url: str, schema: str, store: PostgresEventStore, role: Any
) -> None:
    with (
        open_administration(f"{postgres_url}?schema={schema}") as administration,
        pytest.raises(UsageError, match="role's name"),
    ):
        administration.grants_script(role, [Access.READER])


def test_what_cannot_be_granted_says_why(store: PostgresEventStore, postgres_url: str, schema: str) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(StorageError, match='CREATE ROLE "nobody" LOGIN'):
            administration.grant("nobody", [Access.READER])
        with pytest.raises(UsageError, match="may do everything"):
            administration.grant("mink_plain_owner", [Access.WRITER])
        with pytest.raises(UsageError, match="one or more of owner, writer"):
            administration.grant("mink_plain_owner", [])
    with (
        open_administration(f"{postgres_url}?schema={schema}_none") as administration,
        pytest.raises(SchemaError, match="mink init"),
    ):
        administration.grant("nobody", [Access.READER])


def test_every_table_has_its_line(store: PostgresEventStore, session: Open, schema: str) -> None:
    """A migration that makes a table says who may use it: in `grants.TABLES`."""
    rows = session().run("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", schema)
    assert {row[0] for row in rows} - TABLES.keys() == set()


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


def test_functions_that_are_nobody_s_by_default_are_granted(
    granted: Callable[..., str], session: Open, postgres_url: str, schema: str
) -> None:
    """A hardened database takes EXECUTE from PUBLIC."""
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA "{schema}" FROM PUBLIC')  # type: ignore[call-overload]
    with open_store(granted(Access.WRITER)) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        assert len(list(store.read_all())) == 2


def test_nothing_of_somebody_else_s_is_touched(
    granted: Callable[..., str], admin_in_test_database: str, schema: str, roles: Roles
) -> None:
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        for statement in (
            'CREATE TABLE "{schema}"."we""ird" (a int)',
            "CREATE FUNCTION \"{schema}\".mine(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            'CREATE AGGREGATE "{schema}".most(int) (sfunc = int4larger, stype = int)',
        ):
            admin.execute(statement.replace("{schema}", schema))  # type: ignore[call-overload]
        owned = (
            'SELECT (SELECT relowner = me FROM pg_class WHERE oid = \'"{schema}"."we""ird"\'::regclass), '
            "(SELECT bool_and(proowner = me) FROM pg_proc WHERE pronamespace = '\"{schema}\"'::regnamespace "
            "AND proname IN ('mine', 'most')) FROM (SELECT current_user::regrole::oid AS me) AS x"
        ).replace("{schema}", schema)
        url = admin_in_test_database_url(admin_in_test_database)
        # The printed statements are as good in a session that looks elsewhere first.
        with open_administration(f"{url}?schema={schema}&options=-csearch_path%3D{schema}") as administration:
            script = administration.grants_script(str(conninfo_to_dict(roles["owner"])["user"]), [Access.OWNER])
        admin.execute(script)  # type: ignore[call-overload]
        assert admin.execute(owned).fetchone() == (True, True)  # type: ignore[call-overload]
        admin.execute(f'DROP SCHEMA "{schema}" CASCADE')  # type: ignore[call-overload]


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
