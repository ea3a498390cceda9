"""The server's settings, connections and replication, as far as a store depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mink_core.administration import Diagnosis, Level
from mink_postgres.query import Program, Query
from mink_postgres.statements import admin_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mink_postgres.options import PostgresOptions

_OLDEST_SERVER = 150000
_FEWEST_LOCKS = 64
_MUCH_WAL = 1 << 30


class _Wanted(NamedTuple):
    value: str
    level: Level
    otherwise: str


_SETTINGS: Mapping[str, _Wanted] = {
    "server_encoding": _Wanted("UTF8", Level.CRITICAL, "events need a database in UTF8"),
    "fsync": _Wanted("on", Level.CRITICAL, "a crash of the machine can destroy the database"),
    "full_page_writes": _Wanted("on", Level.CRITICAL, "a crash of the machine can destroy pages of the database"),
    "synchronous_commit": _Wanted(
        "on",
        Level.NOTICE,
        "where it is off, appends turn it on for their own transaction, but what else an application writes can be "
        "lost by a crash; with a synchronous standby, any value but on or remote_apply can lose events in a failover",
    ),
    "autovacuum": _Wanted("on", Level.WARNING, "tables and indexes will grow without end"),
    "default_transaction_isolation": _Wanted(
        "read committed", Level.CRITICAL, "the feed can be read at READ COMMITTED only and will be refused"
    ),
    "default_transaction_read_only": _Wanted("off", Level.CRITICAL, "no append can be stored"),
}


def settings() -> Program[list[Diagnosis]]:
    """The version, and the settings that durability and the feed depend on."""
    rows = yield Query(admin_sql("settings"))
    has = {name: value for name, value, _ in rows}
    number = int(has["server_version_num"])
    version = f"PostgreSQL {number // 10000}.{number % 10000}"
    found = [
        Diagnosis("server", Level.OK, version, "", {"version": number})
        if number >= _OLDEST_SERVER
        else Diagnosis("server", Level.CRITICAL, f"{version} is too old", "upgrade to 15 or newer", {"version": number})
    ]
    wrong = [
        Diagnosis(
            f"setting {name}", wanted.level, f"{name} is {has[name]}: {wanted.otherwise}", f"set it to {wanted.value}"
        )
        for name, wanted in _SETTINGS.items()
        if has.get(name, wanted.value) != wanted.value
        and not (name == "synchronous_commit" and has[name] == "remote_apply")
    ]
    if int(has["max_locks_per_transaction"]) < _FEWEST_LOCKS:
        wrong.append(
            Diagnosis(
                "setting max_locks_per_transaction",
                Level.WARNING,
                f"max_locks_per_transaction is {has['max_locks_per_transaction']}: many appends at once may run out of locks",
                f"set it to {_FEWEST_LOCKS} or more",
            )
        )
    if number >= _OLDEST_SERVER:
        wrong += yield from _collation()
    if has["idle_in_transaction_session_timeout"] == "0":
        wrong.append(
            Diagnosis(
                "setting idle_in_transaction_session_timeout",
                Level.NOTICE,
                "a client that hangs in a transaction after an append holds the feed back without end",
                "set it, for example to 60s, for the roles that append",
            )
        )
    return found + (wrong or [Diagnosis("settings", Level.OK, "durable, and as the feed needs them")])


def _collation() -> Program[list[Diagnosis]]:
    """Whether indexes of text were built in the order in which they are searched now."""
    built, now = (yield Query(admin_sql("collation")))[0]
    if built is None or now is None or built == now:
        return []
    return [
        Diagnosis(
            "collation",
            Level.CRITICAL,
            f"the database's indexes were built by version {built} of its collation, and are searched by version {now}: where "
            "the order is another one, a stream that is there is not found, and begun a second time",
            "REINDEX DATABASE CONCURRENTLY, then ALTER DATABASE … REFRESH COLLATION VERSION",
            {"built": built, "now": now},
        )
    ]


def pooler(session: int, options: PostgresOptions) -> Program[list[Diagnosis]]:
    """Whether a pooler is in between, and the store is opened for one.

    Args:
        session: The process that serves this connection, as the connection was told when it was opened. A pooler
            tells a number of its own.
        options: The store's.
    """
    found = (yield Query("SELECT pg_backend_pid()"))[0][0] != session
    if options.transaction_pooler:
        said = "a pooler is in between" if found else "the store is opened for a pooler, but none is in between"
        return [Diagnosis("pooler", Level.OK if found else Level.NOTICE, f"{said}; nothing is kept in a session")]
    if not found:
        return []
    return [
        Diagnosis(
            "pooler",
            Level.WARNING,
            "a pooler is in between, but the store is opened as if it had sessions of its own: where the pooler hands "
            "out transactions, prepared statements fail, lock time-outs are lost or another's, wake-ups do not come",
            "add transaction_pooler=true to the store's URL; only in session mode it may stay as it is",
        )
    ]


def connections(pool_size: int) -> Program[list[Diagnosis]]:
    """Whether pools of this size fit the server, and what the role in use is."""
    has = {name: value for name, value, _ in (yield Query(admin_sql("settings")))}
    open_now, here, idle, standby, superuser, sees_all, granted = (yield Query(admin_sql("connections")))[0]
    limit = int(has["max_connections"]) - int(has["superuser_reserved_connections"])
    fits = (limit if granted is None else min(limit, granted)) // pool_size
    figures = {
        "limit": limit,
        "open": open_now,
        "in_this_database": here,
        "idle_in_transaction": idle,
        "pool": pool_size,
    }
    own = "" if granted is None else f", and this role or database may have {granted}"
    said = f"{open_now} of {limit} are open{own}; a pool takes up to {pool_size}, so {fits} processes fit"
    if fits == 0:
        level, advice = Level.CRITICAL, "lower max_size in the store's URL, or raise the limit"
    elif open_now > limit * 0.9:
        level, advice = Level.WARNING, "find out who opens so many, lower max_size, or use a pooler"
    else:
        level, advice = Level.OK, ""
    found = [Diagnosis("connections", level, said, advice, figures)]
    if standby:
        found.append(
            Diagnosis(
                "server role",
                Level.CRITICAL,
                "this is a standby: it takes no appends and its feed is refused",
                "connect to the primary: target_session_attrs=read-write in the URL",
            )
        )
    if superuser:
        found.append(
            Diagnosis(
                "role",
                Level.NOTICE,
                "this role is a superuser, which no store needs",
                "make a role for the application: mink grants --help",
            )
        )
    elif not sees_all:
        found.append(
            Diagnosis(
                "role",
                Level.NOTICE,
                "this role does not see what other roles' sessions are doing",
                "GRANT pg_read_all_stats to the role that runs mink doctor",
            )
        )
    return found


def replication() -> Program[list[Diagnosis]]:
    """Slots that nobody reads: they keep WAL until the disk is full."""
    rows = yield Query(admin_sql("replication_slots"))
    return [
        Diagnosis(
            f"replication slot {name}",
            Level.WARNING if kept < _MUCH_WAL else Level.CRITICAL,
            f"nobody reads it, and it keeps {kept / 1e6:,.0f} MB of WAL",
            "start its reader, or SELECT pg_drop_replication_slot(…)",
            {"bytes": kept},
        )
        for name, kept in rows
    ]
