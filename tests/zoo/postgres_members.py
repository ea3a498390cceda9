"""Our PostgreSQL adapter with one thing wrong in its SQL: the mechanisms that others ship, at work in a real server.

Each changes the text of the schema's own functions after they were made, so a member is two strings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance_tests.zoo import Member, Wrapped
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS = """
SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = %s
"""
MEMBERS: list[Member] = []


def breaks(*rules: str) -> Callable[[type[Any]], type[Any]]:
    def register(kind: type[Any]) -> type[Any]:
        story = (kind.__doc__ or "").strip()
        MEMBERS.append(Member(kind.__name__, rules, kind, frozenset({Capability.SQL_TRANSACTION}), False, story))
        return kind

    return register


class _OtherSql(Wrapped):
    """The store with a piece of its functions replaced."""

    old: ClassVar[str]
    new: ClassVar[str]

    def initialize(self) -> None:
        self.store.initialize()
        with self.shared.lock:
            if self.shared.facts.setdefault("replaced", False):
                return
            schema = self.store._options.schema
            with self.store.transaction() as transaction:
                texts = [row[0] for row in transaction.connection.execute(FUNCTIONS, [schema])]
                changed = [text.replace(self.old, self.new) for text in texts if self.old in text]
                assert changed, f"no function of the schema says {self.old!r}"
                for text in changed:
                    transaction.connection.execute(text)
            self.shared.facts["replaced"] = True


@breaks("FEED-01")
class SqlPlainPolling(_OtherSql):
    """Takes the highest position for the mark: `WHERE global_position > $1`."""

    old = "mark := least(high, coalesce(lowest, high));"
    new = "mark := high;"


@breaks("FEED-01")
class SqlFencesOncePerSession(_OtherSql):
    """Fences the first transaction of a connection only: the pool's next one is free."""

    old = "set_config(flag, me, true)"
    new = "set_config(flag, me, false)"

    def initialize(self) -> None:
        super().initialize()
        with self.shared.lock:
            if not self.shared.facts.get("once"):
                self.old, self.new = "IS DISTINCT FROM me", "IS NULL"  # type: ignore[misc]
                self.shared.facts["replaced"] = False
                super().initialize()
                self.shared.facts["once"] = True


@breaks("FEED-01")
class SqlFenceEndsEarly(_OtherSql):
    """Lets the fence go when the INSERT ends, not when its commit is visible."""

    old = "PERFORM set_config(flag, me, true);"
    new = (
        "PERFORM set_config(flag, me, true); PERFORM pg_advisory_lock_shared(0, 0), pg_advisory_unlock_shared(0, 0);"
        " -- the lock that counts was never taken"
    )

    def initialize(self) -> None:
        super().initialize()
        with self.shared.lock:
            if not self.shared.facts.get("once"):
                self.old, self.new = "PERFORM pg_advisory_xact_lock_shared(", "PERFORM concat("  # type: ignore[misc]
                self.shared.facts["replaced"] = False
                super().initialize()
                self.shared.facts["once"] = True


@breaks("FEED-03", "READ-06", "FEED-01")
class SqlFenceOutlivesIt(_OtherSql):
    """Takes the fence's lock for the session: it stays after the commit, and after a rollback."""

    old = "pg_advisory_xact_lock_shared("
    new = "pg_advisory_lock_shared("


@breaks("READ-07", "APPEND-09")
class SqlTimeOfTheTransaction(_OtherSql):
    """Stamps events with the time at which the transaction began."""

    old = "greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')"
    new = "now()"


@breaks("APPEND-09")
class SqlComparesJsonb(_OtherSql):
    """Compares a repeat's content as jsonb: 1 and 1.0 are equal."""

    old = "s.data::text <> g.d::text"
    new = "s.data <> g.d"


@breaks("APPEND-06", "APPEND-03", "APPEND-01")
class SqlReadsThenBumps(_OtherSql):
    """Compares the version in a subquery, which the UPDATE does not read again once it has the lock."""

    old = "(s.version = p_expected OR"
    new = "((SELECT z.version FROM streams AS z WHERE z.stream_id = s.stream_id) = p_expected OR"

    def initialize(self) -> None:
        schema = self.store._options.schema
        self.new = self.new.replace("FROM streams", f'FROM "{schema}".streams')  # type: ignore[misc]
        super().initialize()


@breaks("APPEND-09")
class SqlRepeatWithoutEdges(_OtherSql):
    """Does not look whether the first call had more events than the repeat."""

    old = "NOT whole OR EXISTS ("
    new = "NOT whole OR false AND EXISTS ("


@breaks("SUB-09")
class SqlBeatsWithoutALock(_OtherSql):
    """Does not lock the subscription at a worker's beat: two workers are told that they have one partition."""

    old = "WHERE s.name = p_name FOR UPDATE;"
    new = "WHERE s.name = p_name;"


@breaks("FEED-08")
class SqlForgetsItsIdentity(_OtherSql):
    """Makes a new identity at each look."""

    old = "SELECT s.identity, s.epoch INTO identity, epoch"
    new = "SELECT gen_random_uuid(), s.epoch INTO identity, epoch"
