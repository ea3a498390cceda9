"""psycopg: a connection of the store's own sends its statements prepared, without a cursor.

A cursor converts the query, looks its arguments' types up, keeps a list of prepared statements by both, and makes what
loads the rows anew each time. The store's statements cast every argument themselves, so text is all there is to send, and
what loads a statement's rows can be kept with it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg import generators
from psycopg.adapt import Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    import psycopg
    from psycopg import abc
    from psycopg.abc import PQGen

    from mink_postgres.query import Query, Rows

Connection: TypeAlias = "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]"

THRESHOLD = 5
"""A statement is prepared when a connection has it for the fifth time, as psycopg's own cursors do."""
LIMIT = 100
"""Statements counted, and so prepared at most, for one connection. Filters make more of them than files do."""


class _Statement:
    """One statement of one connection."""

    __slots__ = ("loader", "name", "uses")

    def __init__(self) -> None:
        self.uses = 0
        self.name = b""
        self.loader: abc.Transformer | None = None


class Prepared:
    """The statements of one connection of the store's own, used by one caller at a time."""

    def __init__(self, connection: Connection) -> None:
        """Prepare nothing yet."""
        self._connection = connection
        self._statements: dict[str, _Statement] = {}
        self._count = 0
        # Of this connection alone: a pooler that nobody told us of may give another's session, with statements of its own.
        self._prefix = b"mink_%s" % secrets.token_hex(6).encode()
        # Without prepared statements behind a pooler. Text is sent as UTF-8.
        self._usable = connection.prepare_threshold is not None and connection.info.encoding == "utf-8"

    def fetch(self, query: Query) -> PQGen[Rows] | None:
        """What psycopg's `wait` runs to have the rows; None where a cursor has to.

        It raises what a cursor does.
        """
        if not self._usable or query.is_script:
            return None
        statement = self._statements.get(query.sql)
        if statement is None:
            if len(self._statements) < LIMIT:
                self._statements[query.sql] = statement = _Statement()
            else:
                return None
        statement.uses += 1
        if statement.uses < THRESHOLD:
            return None
        values = _as_text(query.args)
        return None if values is None else self._run(statement, query.sql, values)

    def _run(self, statement: _Statement, sql: str, values: list[bytes | None]) -> PQGen[Rows]:
        pgconn = self._connection.pgconn
        if not statement.name:
            self._count += 1
            name = b"%s_%d" % (self._prefix, self._count)
            pgconn.send_prepare(name, sql.encode())
            for result in (yield from generators.execute(pgconn)):
                if result.status == ExecStatus.FATAL_ERROR:
                    raise error_from_result(result)
            statement.name = name
        pgconn.send_query_prepared(statement.name, values)
        result = (yield from generators.execute(pgconn))[-1]
        if result.status != ExecStatus.TUPLES_OK:
            if result.status == ExecStatus.COMMAND_OK:
                return ()
            error = error_from_result(result)
            if isinstance(error, InvalidSqlStatementName):  # somebody's DEALLOCATE ALL
                self._statements.clear()
            raise error
        loader = statement.loader
        if loader is None:
            loader = Transformer.from_context(self._connection)
            loader.set_pgresult(result)
            statement.loader = loader
        else:
            loader.set_pgresult(result, set_loaders=False)
        rows = loader.load_rows(0, result.ntuples, tuple)
        loader.set_pgresult(None, set_loaders=False)  # a page is not kept until the next
        return rows


def _as_text(args: tuple[Any, ...]) -> list[bytes | None] | None:
    """The arguments as PostgreSQL reads them; None where one is of another kind, or the driver would refuse it."""
    values: list[bytes | None] = []
    for value in args:
        kind = type(value)
        if kind is str:
            if "\0" in value:
                return None
            values.append(value.encode())
        elif kind is int:
            values.append(b"%d" % value)
        elif value is None:
            values.append(None)
        else:
            return None
    return values
