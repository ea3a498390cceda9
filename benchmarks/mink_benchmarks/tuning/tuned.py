"""A case under one setting: the store's options and tables, and what holds only while it is measured."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from mink_benchmarks.samples import BenchmarkError
from mink_benchmarks.targets import target_of
from mink_benchmarks.tuning.works import OPTIONS, WORKS
from mink_postgres.grouping import planner

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from mink_benchmarks.samples import Sample
    from mink_benchmarks.server import Server
    from mink_benchmarks.tuning.knobs import Setting
    from mink_benchmarks.workload import Workload

_PATIENCE = 10.0
"""Seconds that the server has to read its settings again."""


class Tuned:
    """What `samples.Case` asks, with a schema of its own."""

    def __init__(self, setting: Setting, work: str, server: Server, workload: Workload) -> None:
        """Take what is set, and what is measured with it."""
        self.name = setting.name
        self._setting = setting
        self._server = server
        self._schema = server.new_schema("tuning")
        base = _by_socket(server) if setting.by_socket else f"{server.url}?"
        url = f"{base}&schema={self._schema}".replace("postgresql://", "postgresql+asyncpg://").replace("?&", "?")
        target = target_of(url, is_async=True, **OPTIONS.get(work, {}), **setting.options)
        self._case = WORKS[work](setting.name, target, workload)

    def open(self) -> None:
        """Make the store, then what is set of its tables."""
        with _bounds(self._setting.bounds):
            self._case.open()
        for statement in self._setting.statements:
            self._server.run(statement.replace("{schema}", f'"{self._schema}"'))

    def measure(self, seconds: float) -> Sample:
        """Work under the setting."""
        with ExitStack() as stack:
            stack.enter_context(_bounds(self._setting.bounds))
            stack.enter_context(_settings(self._server, self._setting.server))
            return self._case.measure(seconds)

    def close(self) -> None:
        """Close the store, and drop its tables: what stays would be vacuumed beside the next."""
        self._case.close()
        self._server.run(f'DROP SCHEMA "{self._schema}" CASCADE')


def _by_socket(server: Server) -> str:
    """The server's URL by the socket in its own folder, where `benchmark_server` has it make one."""
    parts = conninfo_to_dict(server.url)
    ((folder,),) = server.run("SHOW data_directory")
    user, password = quote(str(parts["user"]), safe=""), quote(str(parts["password"]), safe="")
    place = f"host={quote(folder, safe='')}&port={parts['port']}"
    return f"postgresql://{user}:{password}@/{parts['dbname']}?{place}"


@contextmanager
def _bounds(bounds: Mapping[str, int]) -> Generator[None]:
    usual = {name: getattr(planner, name) for name in bounds}
    for name, value in bounds.items():
        setattr(planner, name, value)
    try:
        yield
    finally:
        for name, value in usual.items():
            setattr(planner, name, value)


@contextmanager
def _settings(server: Server, settings: Mapping[str, str]) -> Generator[None]:
    """Set what holds for all of the server, and take it back."""
    if not settings:
        yield
        return
    rows = server.run("SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", list(settings))
    try:
        _reload(server, "SET {} = {}", settings)
        yield
    finally:
        _reload(server, "RESET {}", dict(rows))


def _reload(server: Server, change: str, wanted: Mapping[str, str]) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name, value in wanted.items():
            text: Any = f"ALTER SYSTEM {change}"
            connection.execute(sql.SQL(text).format(sql.Identifier(name), sql.Literal(value)))
        connection.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + _PATIENCE
        while True:  # a session reads them again between two statements
            found = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", (list(wanted),))
            if dict(found.fetchall()) == wanted:
                return
            if time.monotonic() > until:
                msg = (
                    f"the server did not take {', '.join(wanted)} in {_PATIENCE:.0f} s: what was measured says nothing"
                )
                raise BenchmarkError(msg)
            time.sleep(0.02)
