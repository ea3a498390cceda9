"""psycopg's errors as ours, for its sync and async connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg.pq import ExecStatus

from mink_core.errors import StorageError, StoreClosedError, TransientStorageError
from mink_postgres.sqlstate import translate

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from mink_core.errors import MinkError
    from mink_postgres.query import Query


def has_rows(result: PGresult | None) -> bool:
    """Whether a statement gave rows, were it none. A cursor's `description` would build a value a column."""
    return result is not None and result.status == ExecStatus.TUPLES_OK


def translated(error: psycopg.Error, query: Query | None, *, lost: bool) -> MinkError:
    """The error to raise for psycopg's."""
    lost = lost or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None)
    return translate(error.diag.message_primary or str(error), error.sqlstate, query, lost=lost)


def pool_error(error: Exception) -> MinkError:
    """The error to raise when the pool gave no connection."""
    if type(error).__name__ == "PoolClosed":
        return StoreClosedError("the store's connection pool is closed; nothing was stored")
    if isinstance(error, psycopg.OperationalError):
        return TransientStorageError(
            f"no connection could be had from the pool ({error}); nothing was stored: try again, "
            "or open the store with a larger max_size"
        )
    return StorageError(f"the connection pool failed ({error}); nothing was stored")
