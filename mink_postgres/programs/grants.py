"""Least privilege: which role may do what with which table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mink_core.administration import Access
from mink_core.errors import StorageError, UsageError
from mink_postgres.migrations import store_functions
from mink_postgres.programs.layout import COPIES
from mink_postgres.programs.schema import check_current
from mink_postgres.query import Program, Query
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mink_postgres.context import Context

_READ = "SELECT"
_CHANGE = "SELECT, INSERT, UPDATE, DELETE"
_R, _W, _S = Access.READER, Access.WRITER, Access.SUBSCRIBER

TABLES: Mapping[str, Mapping[Access, str]] = {
    # No global_position: a position that does not come from the sequence would be outside of the fence.
    "events": {
        _R: _READ,
        _S: _READ,
        _W: "SELECT, INSERT (stream_id, version, event_id, event_type, data, metadata, timestamp)",
    },
    # DELETE is for the row that a refused append has made; a trigger keeps those with events.
    "streams": {_R: _READ, _S: _READ, _W: "SELECT, INSERT, DELETE, UPDATE (version, created_at, updated_at)"},
    "store": {_R: _READ, _S: _READ, _W: _READ},
    "schema_migrations": {_R: _READ, _S: _READ, _W: _READ},
    "snapshots": {_R: _READ, _S: _CHANGE, _W: _CHANGE},
    "checkpoints": {_R: _READ, _S: _CHANGE, _W: _READ},
    "checkpoint_identities": {_R: _READ, _S: _CHANGE, _W: _READ},
    "subscriptions": {_R: _READ, _S: _CHANGE, _W: _READ},
    "subscription_leases": {_R: _READ, _S: _CHANGE, _W: _READ},
    "subscription_workers": {_R: _READ, _S: _CHANGE, _W: _READ},
    "parked_events": {_R: _READ, _S: _CHANGE, _W: _READ},
    "snapshot_details": {_R: _READ, _S: _CHANGE, _W: _CHANGE},
    "outbox": {_R: _READ, _S: _CHANGE, _W: _CHANGE},
    "idempotency": {_R: _READ, _S: _CHANGE, _W: _CHANGE},
    "sagas": {_R: _READ, _S: _CHANGE, _W: _CHANGE},
    # An append to a soft-deleted stream brings it back; the rest is the owner's.
    "stream_states": {_R: _READ, _S: _READ, _W: "SELECT, UPDATE (deleted_at)"},
    "erasures": {_R: _READ, _S: _READ, _W: _READ},
    "privacy_audit": {_R: _READ, _S: _READ, _W: _READ},
}
"""What each access may do with each table; the owner may do everything."""


def grants(context: Context, role: str, access: Sequence[Access]) -> Program[list[str]]:
    """The statements that give a role exactly this access.

    Raises:
        UsageError: The name cannot be a role's, no access was named, or the role is the owner already.
        SchemaError: The schema is not up to date.
        StorageError: There is no such role.
    """
    if not access or not all(isinstance(item, Access) for item in access):
        msg = f"say which access: one or more of {', '.join(item.value for item in Access)}"
        raise UsageError(msg)
    quoted_role = _quote_role(role)
    yield from check_current(context)
    schema = context.sql.quoted
    found = yield Query(context.sql.admin("role"), (role,))
    if not found:
        msg = f"there is no role {role!r}; nothing was granted: CREATE ROLE {quoted_role} LOGIN"
        raise StorageError(msg)
    owner, owns = found[0]
    # Tables and functions of somebody else in the same schema are not touched.
    objects = [
        _Object(*row) for row in (yield Query(admin_sql("objects"), (context.sql.schema,))) if _is_ours(*row[:3])
    ]
    if Access.OWNER in access:
        return list(_owner(schema, quoted_role, objects))
    if owns:
        msg = (
            f"role {role!r} owns the store's tables by way of role {owner!r}, so it may do everything; nothing was "
            "granted: name a role that is no superuser and no member of the owner"
        )
        raise UsageError(msg)
    return list(_exactly(schema, quoted_role, objects, access))


def _quote_role(role: str) -> str:
    # PostgreSQL reads these two names as keywords even where they are quoted.
    if not isinstance(role, str) or not 1 <= len(role.encode(errors="replace")) <= 63 or role in ("public", "none"):  # noqa: PLR2004 -- PostgreSQL's limit
        msg = f"a role's name has 1 to 63 bytes and is not public or none: not {role!r:.80}"
        raise UsageError(msg)
    if not role.isprintable():
        msg = f"a role's name holds no control characters: not {role!r:.80}"
        raise UsageError(msg)
    return '"' + role.replace('"', '""') + '"'


class _Object(NamedTuple):
    kind: str
    name: str
    table: str
    """Of a partition or a sequence."""
    spelled: str
    """With its schema, quoted."""


def _is_ours(kind: str, name: str, table: str) -> bool:
    if kind == "function":
        return name in store_functions()
    return (name if kind == "table" else table) in {*TABLES, *COPIES}


def _owner(schema: str, role: str, objects: Sequence[_Object]) -> Iterable[str]:
    yield f"ALTER SCHEMA {schema} OWNER TO {role}"
    for item in objects:
        if item.kind == "function":
            yield f"ALTER FUNCTION {item.spelled} OWNER TO {role}"
        elif item.kind != "sequence":  # a table's own sequence goes with it
            yield f"ALTER TABLE {item.spelled} OWNER TO {role}"


def _exactly(schema: str, role: str, objects: Sequence[_Object], access: Sequence[Access]) -> Iterable[str]:
    yield f"REVOKE ALL ON SCHEMA {schema} FROM {role}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    for item in objects:
        if item.kind == "function":
            # Everybody's, unless default privileges say otherwise. It runs with the caller's own privileges.
            yield f"GRANT EXECUTE ON FUNCTION {item.spelled} TO {role}"
        elif item.kind == "sequence":
            yield f"REVOKE ALL ON SEQUENCE {item.spelled} FROM {role}"
            inserts = any("INSERT" in TABLES[item.table][it] for it in access)
            yield f"GRANT {'USAGE, SELECT' if inserts else 'SELECT'} ON SEQUENCE {item.spelled} TO {role}"
        else:
            # A partition is reached by way of its table, and needs no privilege of its own.
            yield f"REVOKE ALL ON {item.spelled} FROM {role}"
            for it in access if item.name in TABLES and item.kind == "table" else ():
                yield f"GRANT {TABLES[item.name][it]} ON {item.spelled} TO {role}"
