"""psycopg, sync: a query that is sent now, and whose rows are taken later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from psycopg import Error, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format

from mink_postgres.drivers.psycopg_errors import translated, unwritable
from mink_postgres.drivers.psycopg_sync import PooledConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from psycopg import abc

    from mink_postgres.query import Query, Row, Rows


def send(connection: psycopg.Connection[Any], query: Query) -> None:
    """Send one query, which is no script, and wait for nothing. `receive` must follow before anything else is sent.

    Raises:
        MinkError: The driver's error, translated.
    """
    try:
        # The types of the arguments are the query's own casts.
        values: Any = Transformer(connection).dump_sequence(query.args, [PyFormat.TEXT] * len(query.args))
        # A connection of the caller's may have loaders of the caller's, and for text alone.
        form = Format.BINARY if isinstance(connection, PooledConnection) else Format.TEXT
        connection.pgconn.send_query_params(query.sql.encode(), values, result_format=form)
        connection.pgconn.flush()
    except Error as error:
        raise translated(error, query, lost=connection.broken) from error
    except UnicodeEncodeError as error:
        raise unwritable(connection, error) from None


def receive(connection: psycopg.Connection[Any], query: Query) -> Rows:
    """Wait for the whole result of what was sent; its rows are made when they are looked at.

    Raises:
        MinkError: The driver's error, translated.
    """
    try:
        result = connection.wait(generators.execute(connection.pgconn))[-1]
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result)
    except Error as error:
        raise translated(error, query, lost=connection.broken) from error
    adapted = Transformer(connection)
    adapted.set_pgresult(result)
    return _Result(adapted, result.ntuples)


class _Result(Sequence["Row"]):
    """The rows of a result, made in C for who reads them."""

    def __init__(self, adapted: abc.Transformer, count: int) -> None:
        self._adapted = adapted
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return iter(self._adapted.load_rows(0, self._count, tuple))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return list(self)[index]
        row: Row | None = self._adapted.load_row(index if index >= 0 else index + self._count, tuple)
        if row is None:
            raise IndexError(index)
        return row
