"""psycopg: a connection of the store's own sends its statements prepared, without a cursor.

A cursor converts the query, looks its arguments' types up, keeps a list of prepared statements by both, and makes what
loads the rows anew each time. The store's statements cast every argument themselves, so text is all there is to send, and
what loads a statement's rows can be kept with it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from psycopg import BaseConnection, generators
from psycopg.adapt import Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.abc import PQGen

    from mink_postgres.query import Query, Rows

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


_SETTINGS = b"client_encoding", b"DateStyle", b"TimeZone"
"""Of a session: what loads rows goes by them as they were when it was made."""

_CHANGED = "RevalidateCachedQuery"
"""Of the server: says that what a statement gives has other types since a migration."""


class Prepared:
    """The statements of one connection of the store's own. Whoever uses them holds the connection's lock."""

    def __init__(self, connection: Preparing) -> None:
        """Prepare nothing yet."""
        self._connection = connection
        self._statements: dict[str, _Statement] = {}
        self._settings: list[bytes | None] = []
        self._count = 0
        # Of this connection alone: a pooler that nobody told us of may give another's session, with statements of its own.
        self._prefix = b"mink_%s" % secrets.token_hex(6).encode()

    def forget(self) -> None:
        """Prepare all anew: the session has let go of them."""
        for statement in self._statements.values():
            statement.name = b""

    def _is_usable(self) -> bool:
        connection = self._connection
        pgconn = connection.pgconn
        settings = [pgconn.parameter_status(name) for name in _SETTINGS]  # as the server told last
        if settings != self._settings:  # a caller with the connection may set them
            self._settings = settings
            connection.raw_cursor = None
            for statement in self._statements.values():
                statement.loader = None
        return (
            connection.prepare_threshold is not None  # as behind a pooler
            and settings[0] == b"UTF8"  # as text is sent
        )

    def fetch(self, query: Query) -> PQGen[Rows] | None:
        """What psycopg's `wait` runs to have the rows; None where a cursor has to.

        It raises what a cursor does.
        """
        if query.is_script or not self._is_usable():
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
            statement.name, statement.loader = name, None  # what it gives may be of other types by now
        pgconn.send_query_prepared(statement.name, values)
        result = (yield from generators.execute(pgconn))[-1]
        if result.status != ExecStatus.TUPLES_OK:
            if result.status == ExecStatus.COMMAND_OK:
                return ()
            error = error_from_result(result)
            if isinstance(error, InvalidSqlStatementName):  # somebody's DEALLOCATE ALL
                self.forget()
            elif isinstance(error, FeatureNotSupported) and error.diag.source_function == _CHANGED:
                statement.name = b""
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


class Preparing(BaseConnection[Any]):
    """A connection that sends the store's statements so."""

    raw_cursor: Any = None
    prepared: Prepared | None = None

    def asked(self, query: Query) -> PQGen[Rows] | None:
        """See `Prepared.fetch`."""
        if (prepared := self.prepared) is None:
            prepared = self.prepared = Prepared(self)
        return prepared.fetch(query)

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        # psycopg lets go of all statements of the session, ours as well, at a ROLLBACK after a cursor had prepared any.
        if name is None and self.prepared is not None:
            self.prepared.forget()
        return super()._deallocate(name)


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
