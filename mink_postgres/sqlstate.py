"""One table from PostgreSQL's error codes to our errors, for all drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import MinkError, OutcomeUnknownError, SchemaError, StorageError, TransientStorageError

if TYPE_CHECKING:
    from mink_postgres.query import Query

_CANNOT_BE = "MINK1"  # raised by sql/admin/adopt.sql and move_unfit.sql
_MESSAGE_IDS = "idx_outbox_message_id"
_SAGAS = "idx_sagas_"
_NOT_THERE = {"42P01", "42883", "3F000", "42703"}  # undefined table, function, schema, column
READ_ONLY = "25006"
"""A session of a pool that answers so is given up. It may have been opened while the server, the role or the database took no
writes, and go on refusing them when they do again; or lead to a standby, while new ones find the primary."""
LET_GO = "26000"
"""No such prepared statement: the session has let go of it, by DISCARD ALL for instance."""
NOT_UNIQUE = "23505"
"""A unique index refused a row."""
_TRANSIENT = {
    "40001": "the database could not serialize the transaction",
    "40P01": "the database found a deadlock",
    "55P03": "another transaction holds a lock for longer than the lock time-out",
    READ_ONLY: "the server takes no writes: it is a standby, as a former primary is after a failover "
    "(target_session_attrs=read-write in the URL finds the primary), or the transaction is READ ONLY",
    "57014": "the statement was cancelled or ran into statement_timeout",
    "57P05": "the session was idle for longer than the database allows",
    "25P03": "the transaction was idle for longer than the database allows",
    "53300": "the database has no connection left",
    "53200": "the database is out of memory",
    "53100": "the database's disk is full",
}
NOT_LET_IN = "28000"
"""The server knows no such user, or lets it in from elsewhere only."""
_NOT_LET_IN = {NOT_LET_IN, "28P01", "3D000"}  # a wrong password; no such database
_OTHER_SESSION = {LET_GO, "42P05"}  # no such prepared statement; there is one of that name
# The server ended the session, maybe after it had committed: only class 57P's shutdown codes and class 08.
_LOST = {"57P01", "57P02", "57P03"}
_ENDED_IDLE = {"57P05", "25P03"}
"""The server ended a session that had nothing to do. Its timers run only while it waits for a statement, and whether they have run
out is looked at before what came then is read: that was not executed, were it a COMMIT."""


def translate(  # noqa: C901, PLR0911 -- a table of answers
    message: str, sqlstate: str | None, query: Query | None, *, lost: bool = False
) -> MinkError:
    """The error to raise for a driver's error.

    Args:
        message: The driver's message.
        sqlstate: PostgreSQL's error code, None where the driver gave none.
        query: What was running; None while connecting.
        lost: Whether the connection is gone.
    """
    said = " ".join(message.split())
    if query is None and sqlstate in _NOT_LET_IN:
        return StorageError(
            f"PostgreSQL does not let the store in: {said}; nothing was stored: look at the user, the password and the "
            "database in the store's URL, and at the server's pg_hba.conf",
            sqlstate=sqlstate,
        )
    if sqlstate not in _ENDED_IDLE and (lost or sqlstate in _LOST or (sqlstate or "").startswith("08")):
        if query is None:
            return TransientStorageError(
                f"no connection to PostgreSQL: {said}; nothing was stored: try again", sqlstate=sqlstate
            )
        if query.retry_is_safe is None:
            return TransientStorageError(
                f"the connection to PostgreSQL was lost ({said}); nothing was stored: try again", sqlstate=sqlstate
            )
        return OutcomeUnknownError(
            f"the connection to PostgreSQL was lost before the reply came ({said}): the call may or may not be stored",
            retry_is_safe=query.retry_is_safe,
            sqlstate=sqlstate,
        )
    if sqlstate == _CANNOT_BE:
        return SchemaError(said)
    if sqlstate in _NOT_THERE:
        return SchemaError(
            f"the store's tables or functions are missing ({said}); nothing was stored: "
            "run `mink init`, or call store.initialize()"
        )
    if sqlstate in _TRANSIENT:
        return TransientStorageError(
            f"{_TRANSIENT[sqlstate]} ({said}); nothing was stored: try the same call again", sqlstate=sqlstate
        )
    if sqlstate in _OTHER_SESSION:
        return StorageError(
            f"the session is another one than the statement was prepared in ({said}); nothing was stored: there is a "
            "pooler in between, so open the store with transaction_pooler=true",
            sqlstate=sqlstate,
        )
    if sqlstate == NOT_UNIQUE and _MESSAGE_IDS in said:
        return TransientStorageError(
            f"another call was storing an outbox message with the same id ({said}); nothing was stored: "
            "try the same call again, which tells whether the id is taken",
            sqlstate=sqlstate,
        )
    if sqlstate == NOT_UNIQUE:
        return StorageError(
            f"a unique index refused a row ({said}); nothing was stored: if it is events_stream_id_version_key, "
            "raw writes have left the streams table behind: run `mink check`; if it is a primary key of events, the sequence "
            "of positions is behind: stop what appends, and run `mink doctor`; if it is that of another table, its sequence is "
            "behind: `mink doctor` has the statement that mends it",
            sqlstate=sqlstate,
        )
    if sqlstate == "54000" and _SAGAS in said:
        return StorageError(
            f"a saga's names are too long for an index ({said}); nothing was stored: of its id and type together, and of "
            "its id and correlation id, PostgreSQL takes 2,600 bytes, which characters beyond ASCII have 2 to 4 of",
            sqlstate=sqlstate,
        )
    if sqlstate == "42501":
        return StorageError(
            f"the database role lacks a privilege ({said}); nothing was stored: grant it, "
            "or connect as the schema's owner",
            sqlstate=sqlstate,
        )
    return StorageError(f"PostgreSQL refused the statement ({said}); nothing was stored", sqlstate=sqlstate)
