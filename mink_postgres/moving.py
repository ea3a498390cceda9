"""Drives a move of a store's events into another table (`programs/moving.py`), each piece in a transaction of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mink_core.errors import StorageError, TransientStorageError
from mink_postgres.backends.sync_psycopg import transaction
from mink_postgres.programs import moving
from mink_postgres.programs.retyping import name_unfit
from mink_postgres.programs.schema import check_current
from mink_postgres.query import Program, Query, run

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from mink_postgres.context import Context
    from mink_postgres.query import Rows

T = TypeVar("T")
_COMMIT = Query("COMMIT", retry_is_safe=True)
_UNHURRIED = Query(
    "SELECT set_config(s.name, '0', true) FROM pg_settings AS s WHERE s.name IN ('statement_timeout', 'transaction_timeout')"
)
"""A piece takes as long as it takes: time-outs of the role are meant for the application's statements, and a piece that ran
into one would do so again."""
_TRIES = 20
"""How often the lock for the last step is asked for."""
_LOCK_PAUSE = 1.0
"""Seconds between two tries, in which the appends that waited get through."""
_OF_VALUES = ("22", "54")
"""The classes of errors that tell of a value: data exceptions, and program limits."""


class Moved(NamedTuple):
    """What a move came to; see `mink_core.administration.Partitioned`."""

    copied: int
    copied_under_lock: int
    pause: float


class Mover:
    """Moves the events of a store that is in use."""

    def __init__(
        self, context: Context, connection: psycopg.Connection[object], fetch: Callable[[Query], Rows]
    ) -> None:
        """Work on a connection that commits each statement by itself."""
        self._context = context
        self._connection = connection
        self._fetch = fetch

    def move(self, plan: moving.Plan, progress: Callable[[int, int], object] | None) -> Moved | None:
        """Begin or go on, up to the end.

        Returns:
            None where there was nothing to do.

        Raises:
            SchemaError: It cannot be done; says why.
            TransientStorageError: Appends in flight did not end for the last step.
        """
        context = self._context
        run(check_current(context), self._fetch)
        run(moving.mark(context), self._fetch)  # refuses before anything is made
        begun = self._in_transaction(moving.begin(context, plan))
        if begun is None:
            return None
        move, done = begun
        copied = tries = 0
        while True:
            mark = run(moving.mark(context), self._fetch)
            while done < mark:
                piece = moving.copy_chunk(context, move, done, mark)
                done, count = self._naming_unfit(piece, move, done)
                copied += count
                if progress is not None:
                    progress(done, mark)
            if run(moving.mark(context), self._fetch) - done > moving.CLOSE:
                continue
            if not tries:
                # Plans are good from the first call on; and what came meanwhile is copied before the lock is asked for.
                self._in_transaction(moving.analyze(context, move))
                tries = 1
                continue
            began = time.monotonic()
            try:
                last = self._naming_unfit(moving.finish(context, plan, move, done), move, done)
            except TransientStorageError:
                tries += 1
                if tries > _TRIES:
                    raise
                time.sleep(_LOCK_PAUSE)
            else:
                return Moved(copied + last, last, time.monotonic() - began)

    def _in_transaction(self, program: Program[T]) -> T:
        with transaction(self._connection, _COMMIT):
            self._fetch(_UNHURRIED)
            return run(program, self._fetch)

    def _naming_unfit(self, program: Program[T], move: moving.Move, after: int) -> T:
        """Run a program that copies; where the copy takes a value not, tell which event has it."""
        try:
            return self._in_transaction(program)
        except StorageError as error:
            if move.json_type == "jsonb" and (error.sqlstate or "").startswith(_OF_VALUES):
                self._in_transaction(name_unfit(self._context, move, after))
            raise
