"""Stores and hand-driven sessions in the test's own schema, logins for each access, and PgBouncer before the server."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mink_core import NewEvent
from mink_core.administration import Access
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.grouping import pace
from tests.postgres.grouped import Clock
from tests.postgres.pgbouncer import PgBouncer
from tests.postgres.roles import HOSTILE, Roles
from tests.postgres.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of grouped threads, put on by hand."""
    made = Clock()
    monkeypatch.setattr(pace, "monotonic", made)
    return made


@pytest.fixture
def store(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as opened:
        opened.initialize()
        yield opened


@pytest.fixture
def session(postgres_url: str, schema: str) -> Iterator[Callable[..., Session]]:
    """Opens sessions by hand; those still open are rolled back at the end."""
    with ExitStack() as stack:

        def opened(url: str = postgres_url, schema: str = schema) -> Session:
            made = Session(url, schema)
            stack.callback(made.connection.close)
            return made

        yield opened


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
def granted(store: PostgresEventStore, postgres_url: str, schema: str, roles: Roles) -> Callable[..., str]:
    """Grants an access to its role and gives the URL of the store as that role."""
    store.append("old-1", [NewEvent("Made", {})], expected_version=0)

    def grant(*access: Access) -> str:
        role = conninfo_to_dict(roles[access[0].value])["user"]
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(str(role), access)
        return f"{roles[access[0].value]}?schema={schema}&min_size=1"

    return grant


@pytest.fixture(scope="module")
def bouncer(postgres_url: str) -> Iterator[PgBouncer]:
    with PgBouncer(postgres_url) as started:
        yield started


@pytest.fixture
def pooled(bouncer: PgBouncer, postgres_url: str, schema: str) -> str:
    """The URL of a store behind it."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as direct:
        direct.initialize()
    return bouncer.url()
