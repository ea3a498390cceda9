"""One PostgreSQL server for each of the run's processes, and a plain role on it: the store needs no superuser."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mink_postgres.server import ServerUnavailableError, postgres_for_tests

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing may depend on where client and server are: neither the process nor the server it starts is in UTC.
os.environ["TZ"] = "Pacific/Chatham"
time.tzset()

ROLE = "mink_plain_owner"
_numbers = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """On a server that somebody gave there is one process: roles are the whole server's."""
    if os.environ.get("MINK_POSTGRES_URL") or os.environ.get("MINK_NATS_URL"):
        config.option.numprocesses = 0


@pytest.fixture(scope="session")
def admin_url() -> Iterator[str]:
    """A superuser's URL, for what only the tests need: roles, terminated backends, replica role."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_for_tests())
        except ServerUnavailableError as error:
            if os.environ.get("MINK_REQUIRE_POSTGRES") == "1":
                raise
            pytest.skip(str(error))
        _wait_for_the_disk(url, "off")
        yield url


@pytest.fixture
def durable(admin_url: str) -> Iterator[None]:
    """The server waits for the disk meanwhile, for whoever looks whether it does."""
    _wait_for_the_disk(admin_url, "on")
    yield
    _wait_for_the_disk(admin_url, "off")


def _wait_for_the_disk(url: str, wanted: str) -> None:
    """Only a crash of the machine shows the difference; tests that kill a server start one, with durable settings."""
    if os.environ.get("MINK_POSTGRES_URL"):
        return  # somebody else's server is as it is
    with psycopg.connect(url, autocommit=True) as admin:
        for name in ("fsync", "full_page_writes"):
            admin.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(wanted)))
        admin.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + 60
        while admin.execute("SHOW fsync").fetchone() != (wanted,):
            assert time.monotonic() < end, "the server does not read its settings again"
            time.sleep(0.005)


@pytest.fixture(scope="session")
def postgres_url(admin_url: str) -> Iterator[str]:
    """The URL of a role that owns its database and nothing else."""
    database = f"mink_test_{os.getpid()}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'plain'").format(sql.Identifier(ROLE)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(database), sql.Identifier(ROLE)
            )
        )
    parts = conninfo_to_dict(admin_url)
    yield f"postgresql://{ROLE}:plain@{parts['host']}:{parts['port']}/{database}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


@pytest.fixture(scope="session")
def admin_in_test_database(admin_url: str, postgres_url: str) -> str:
    """The superuser, in the plain role's database."""
    return make_conninfo(admin_url, dbname=conninfo_to_dict(postgres_url)["dbname"])


@pytest.fixture
def schema(postgres_url: str) -> Iterator[str]:
    """A schema name of the test's own; what was made in it is dropped afterwards."""
    name = f"t{next(_numbers)}"
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        # A test that failed may have left a transaction open: it ends here, not at the next test.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
        )
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
