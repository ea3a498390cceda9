"""The administration of a PostgreSQL store, over one connection of its own."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import psycopg

from mink_core.administration import Partitioned, PayloadsChanged, SchemaStatus, SchemaStep
from mink_postgres.backends.pooler import psycopg_options
from mink_postgres.backends.sync_psycopg import transaction
from mink_postgres.drivers import psycopg_sync
from mink_postgres.drivers.psycopg_errors import translated
from mink_postgres.importing import import_events
from mink_postgres.migrations import SCHEMA_VERSION, raw_migrations
from mink_postgres.moving import Mover
from mink_postgres.programs import schema
from mink_postgres.programs.diagnosing import diagnose
from mink_postgres.programs.grants import grants
from mink_postgres.programs.json_columns import see_json
from mink_postgres.programs.marks import import_marks, stream_marks
from mink_postgres.programs.partitioning import into_partitions
from mink_postgres.programs.retyping import into_type
from mink_postgres.programs.statistics import statistics
from mink_postgres.query import Program, Query, ask, run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mink_core.administration import Access, Diagnosis, StoreStatistics, StreamMark
    from mink_core.events import StoredEvent
    from mink_postgres.options import PostgresOptions
    from mink_postgres.source import Source

T = TypeVar("T")
_COMMIT = Query("COMMIT", retry_is_safe=True)


class PostgresAdministration:
    """See `mink_core.administration.Administration`."""

    def __init__(self, connection: psycopg.Connection[object], options: PostgresOptions) -> None:
        """Work on a connection that commits each statement by itself."""
        self._connection = connection
        self._options = options
        self._context = options.context()

    def schema_status(self) -> SchemaStatus:
        """See `Administration.schema_status`."""
        applied = {step.version: step for step in self._run(schema.applied_migrations(self._context))}
        known = {step.version: step for step in raw_migrations()}
        steps = tuple(
            SchemaStep(
                version,
                known[version].name if version in known else applied[version].name,
                applied[version].oldest_code if version in applied else known[version].oldest_code,
                applied[version].applied_at if version in applied else None,
                version in known,
            )
            for version in sorted(applied.keys() | known.keys())
        )
        return SchemaStatus(max(applied, default=0), SCHEMA_VERSION, steps)

    def migrate(self) -> list[str]:
        """See `Administration.migrate`."""
        with transaction(self._connection, _COMMIT):
            return [step.name for step in self._run(schema.migrate(self._context))]

    def partition(self, partitions: int, progress: Callable[[int, int], object] | None = None) -> Partitioned:
        """See `Administration.partition`."""
        moved = self._mover().move(into_partitions(partitions), progress)
        assert moved is not None  # noqa: S101 -- where it is so already that is refused
        return Partitioned(partitions, *moved)

    def change_payloads(self, json_type: str, progress: Callable[[int, int], object] | None = None) -> PayloadsChanged:
        """See `Administration.change_payloads`."""
        moved = self._mover().move(into_type(json_type), progress)
        return PayloadsChanged(json_type, moved is not None, *(moved or (0, 0, 0.0)))

    def migration_script(self) -> str:
        """See `Administration.migration_script`."""
        return self._run(schema.migration_script(self._context))

    def grants_script(self, role: str, access: Sequence[Access]) -> str:
        """See `Administration.grants_script`."""
        statements = self._run(grants(self._context, role, access))
        return "".join(f"{statement};\n" for statement in ("BEGIN", *statements, "COMMIT"))

    def grant(self, role: str, access: Sequence[Access]) -> None:
        """See `Administration.grant`."""
        with transaction(self._connection, _COMMIT):
            for statement in self._run(grants(self._context, role, access)):
                psycopg_sync.fetch(self._connection, Query(statement, is_script=True))

    def diagnose(self, *, max_lag: float = 60.0) -> list[Diagnosis]:
        """See `Administration.diagnose`."""
        seen = self._connection.info.backend_pid
        return self._run(diagnose(self._context, self._options, session=seen, max_lag=max_lag))

    def statistics(self) -> StoreStatistics:
        """See `Administration.statistics`."""
        return self._run(statistics(self._context))

    def import_events(self, events: Sequence[StoredEvent]) -> int:
        """See `Administration.import_events`."""
        try:
            with transaction(self._connection, _COMMIT):
                # A change of their type waits until what is sent as this one is stored.
                self._run(ask(Query(f"LOCK TABLE {self._context.sql.quoted}.events IN ACCESS SHARE MODE")))
                self._run(see_json(self._context))
                return import_events(self._context, self._connection, events)
        except psycopg.Error as error:
            raise translated(error, _COMMIT, lost=self._connection.broken) from error

    def stream_marks(self) -> list[StreamMark]:
        """See `Administration.stream_marks`."""
        return self._run(stream_marks(self._context))

    def check_marks(self, count: int) -> None:
        """See `Administration.check_marks`: any are taken."""

    def import_marks(self, marks: Sequence[StreamMark]) -> None:
        """See `Administration.import_marks`."""
        with transaction(self._connection, _COMMIT):
            self._run(import_marks(self._context, marks))

    def _mover(self) -> Mover:
        return Mover(self._context, self._connection, partial(psycopg_sync.fetch, self._connection))

    def _run(self, program: Program[T]) -> T:
        return run(program, partial(psycopg_sync.fetch, self._connection))


@contextmanager
def administered(source: Source, options: PostgresOptions) -> Generator[PostgresAdministration]:
    """Connect, and let go at the end.

    Raises:
        StorageError: The server cannot be reached; says why.
    """
    conninfo = source.open()
    try:
        with psycopg_sync.connect(conninfo, **psycopg_options(options)) as connection:
            yield PostgresAdministration(connection, options)
    finally:
        source.close()
