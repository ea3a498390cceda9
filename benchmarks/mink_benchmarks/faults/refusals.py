"""The server or the pool says no: time-outs, locks, serialization, no connection, no space."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg

from mink_benchmarks.faults.lab import CannotInflictError, Fault
from mink_benchmarks.faults.load import STREAM, WRITERS
from mink_core import MinkError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from mink_benchmarks.faults.lab import Lab


class ExhaustPool(Fault):
    """Every connection of the pool is taken for longer than its time-out."""

    name = "pool exhausted"
    pause = 0.3
    options: ClassVar[Mapping[str, Any]] = {"pool_timeout": 0.1}

    def strike(self, lab: Lab) -> int:
        """Take all connections of the writers' own pool into idle transactions for half a second."""
        with ExitStack() as stack:
            taken = 0
            for _ in range(200):
                try:
                    stack.enter_context(lab.load.store.transaction())
                except MinkError:
                    continue
                taken += 1
                if taken == WRITERS:
                    time.sleep(0.5)
                    return 1
        return 0


class TimeOut(Fault):
    """Streams are locked for longer than lock_timeout, then for longer than statement_timeout."""

    name = "lock and statement time-outs"
    pause = 0.3
    options: ClassVar[Mapping[str, Any]] = {"lock_timeout": 0.1}
    query = "?options=-c%20statement_timeout%3D300ms"

    def strike(self, lab: Lab) -> int:
        """Hold the streams by row locks, which lock_timeout ends; then the table, which only the other one may."""
        with lab.admin() as admin:
            with admin.transaction():
                admin.execute("SELECT FROM mink.streams FOR UPDATE")
                time.sleep(0.3)
            with admin.transaction():
                admin.execute("LOCK TABLE mink.events IN ACCESS EXCLUSIVE MODE")
                time.sleep(0.4)
        return 2


class Serialize(Fault):
    """The writers' sessions are SERIALIZABLE, on streams that all of them share."""

    name = "serialization"
    pause = 0.3
    shared = True
    query = "?options=-c%20default_transaction_isolation%3Dserializable"

    def strike(self, lab: Lab) -> int:
        """The load does it itself; each refusal is a time."""
        before = lab.ledger.refusals.total()
        time.sleep(0.2)
        return lab.ledger.refusals.total() - before


class Batches(Fault):
    """Batches over the same streams in every order: they lock in one order, so there is no deadlock."""

    name = "batches of several streams"
    pause = 0.3
    shared = True

    def strike(self, lab: Lab) -> int:
        """The load does it itself; each acknowledged event is a time."""
        before = len(lab.ledger.acknowledged)
        time.sleep(0.2)
        return len(lab.ledger.acknowledged) - before

    def problems(self, lab: Lab) -> list[str]:
        """The server counts deadlocks."""
        with lab.admin() as admin:
            row = admin.execute("SELECT sum(deadlocks) FROM pg_stat_database").fetchone()
        return [f"{row[0]} deadlocks"] if row and row[0] else []


class ClockAhead(Fault):
    """A stream was written by a clock that was an hour ahead: the clock has since been set back."""

    name = "clock set back by an hour"
    pause = 0.2

    def strike(self, lab: Lab) -> int:
        """Put some stream's newest timestamp an hour ahead."""
        with lab.admin() as admin:
            names = admin.execute("SELECT stream_id FROM mink.streams").fetchall()
            done = admin.execute(
                "UPDATE mink.streams SET updated_at = greatest(updated_at, clock_timestamp() + interval '1 hour') "
                "WHERE stream_id = %s",
                (random.choice(names)[0],),
            )
        return done.rowcount

    def problems(self, lab: Lab) -> list[str]:
        """Some stream must have gone on from there, or nothing was tried."""
        with lab.admin() as admin:
            row = admin.execute(
                "SELECT count(*) FROM mink.events WHERE stream_id LIKE %s AND timestamp > clock_timestamp() + interval '50 min'",
                (f"{STREAM}%",),
            ).fetchone()
        return [] if row and row[0] else ["no event was appended to a stream that is ahead"]


_SIZE_MB = 192
_LEFT = 4 << 20


class FillDisk(Fault):
    """The file system of the data folder has no space left, and gets it back."""

    name = "disk full"
    pause = 1.0
    settings: ClassVar[Mapping[str, str]] = {"max_wal_size": "48MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}

    @contextmanager
    def place(self) -> Generator[Path | None]:
        """A small file system in memory, mounted for this."""
        folder = Path(tempfile.mkdtemp(prefix="mink-full-"))
        mounted = False
        try:
            folder.chmod(0o755)
            command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_MB}m", "mink-faults", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                why = f"no small file system could be mounted: {done.stderr.strip() or done.returncode}"
                raise CannotInflictError(why)
            mounted = True
            self._folder = folder
            yield folder / "server"
        except FileNotFoundError as error:
            why = f"no small file system could be mounted: there is no program {error.filename}"
            raise CannotInflictError(why) from None
        finally:
            if mounted:
                # Lazily: a backend that is just ending may still hold a file.
                subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)  # noqa: S607 -- as found on the path
            folder.rmdir()

    def strike(self, lab: Lab) -> int:
        """Take all space but a little; give it back once a write was refused, and restart a server that has stopped."""
        filler = self._folder / "filler"
        before = lab.ledger.refusals.total()
        room = os.statvfs(self._folder)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize - _LEFT, 1))
        end = time.monotonic() + 20
        while lab.ledger.refusals.total() == before and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)
        struck = lab.ledger.refusals.total() > before
        filler.unlink()
        try:
            lab.admin().close()
        except psycopg.OperationalError:
            # PostgreSQL stops by itself where it cannot write its log.
            lab.server.restart()
        return int(struck)
