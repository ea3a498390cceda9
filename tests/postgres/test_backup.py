"""Backups: a dump that is restored, and recovery to a point in time. Readers that are ahead are told."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mink_core import NewEvent, PositionAheadError
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres.server import EmbeddedServer
from tests.postgres.test_migrations import catalog

if TYPE_CHECKING:
    from pathlib import Path


def program(server: EmbeddedServer, name: str) -> str:
    """A program of the same release as the server."""
    found = server._bin / name
    return str(found) if found.exists() else str(shutil.which(name))


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def append(url: str, stream: str, count: int, *, expected: int) -> int:
    with PostgresEventStore(url, min_size=1) as store:
        return store.append(
            stream, [NewEvent("Made", {"n": n}) for n in range(count)], expected_version=expected
        ).last_position


def test_a_dump_is_restored_whole(tmp_path: Path) -> None:
    with EmbeddedServer.start() as server:
        url = server.url()
        with open_administration(url) as administration:
            administration.migrate()
        last = append(url, "order-1", 20, expected=0)
        run(
            program(server, "pg_dump"), f"--dbname={url}", "--format=custom", "--schema=mink", f"--file={tmp_path}/dump"
        )
        late = append(url, "order-1", 5, expected=20)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE restored TEMPLATE template0")
        restored = server.url("restored")
        run(program(server, "pg_restore"), f"--dbname={restored}", "--exit-on-error", f"{tmp_path}/dump")
        assert catalog(restored, "mink") == catalog(url, "mink")
        with PostgresEventStore(url, min_size=1) as store, PostgresEventStore(restored, min_size=1) as copy:
            assert copy.check() == []
            assert list(copy.read_all()) == list(store.read_all(limit=20))
            saved = store.identity()
            assert copy.identity() == saved
            with pytest.raises(PositionAheadError):
                copy.poll(late, identity=saved)
            # Where it is not ahead by number, only the epoch tells: so it is raised after a restore.
            copy.poll(last, identity=saved)
            copy.bump_epoch()
            with pytest.raises(PositionAheadError):
                copy.poll(last, identity=saved)
            assert copy.append("order-1", [NewEvent("After", 1)], expected_version=20).first_position == last + 1


def test_recovery_to_a_point_in_time() -> None:
    """A base backup and archived WAL, recovered to a named point: what came later is gone, and readers are told."""
    with EmbeddedServer.start() as scratch:
        archive = scratch.folder / "archive"
        archive.mkdir()
        scratch._account.own(archive)
        scratch._settings |= {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f", "max_wal_senders": "4"}
        scratch.restart()
        url = scratch.url()
        with open_administration(url) as administration:
            administration.migrate()
        append(url, "order-1", 10, expected=0)
        target = EmbeddedServer.start()
        try:
            data = target.folder / "data"
            target._process.ask_to_stop()
            shutil.rmtree(data)
            run(program(scratch, "pg_basebackup"), f"--dbname={url}", f"--pgdata={data}", "--checkpoint=fast")
            append(url, "order-1", 10, expected=10)
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute("SELECT pg_create_restore_point('before the mistake')")
            late = append(url, "order-1", 10, expected=20)
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute("SELECT pg_switch_wal()")
                archived = "SELECT count(*) FROM pg_stat_archiver WHERE last_archived_wal >= %s"
                wanted = admin.execute("SELECT pg_walfile_name(pg_current_wal_lsn() - 1)").fetchone()
                while not admin.execute(archived, wanted).fetchone()[0]:  # type: ignore[index]
                    pass
            with PostgresEventStore(url, min_size=1) as store:
                saved, before = store.identity(), list(store.read_all(limit=20))
            (data / "recovery.signal").touch()
            for path in [data, *data.rglob("*")]:
                if target._account.uid is not None:
                    shutil.chown(path, target._account.uid, target._account.gid)
            data.chmod(0o700)
            target._settings |= {
                "restore_command": f"cp {archive}/%f %p",
                "recovery_target_name": "before the mistake",
                "recovery_target_action": "promote",
            }
            target._launch(target.port)
            target._wait_ready()
            password = conninfo_to_dict(url)["password"]
            recovered = make_conninfo(target.url(), password=password)
            with psycopg.connect(recovered, autocommit=True) as admin:
                while admin.execute("SELECT pg_is_in_recovery()").fetchone()[0]:  # type: ignore[index]
                    pass
            with PostgresEventStore(recovered, min_size=1) as store:
                assert list(store.read_all()) == before
                assert store.check() == []
                # Recovery leaves the sequence up to 32 ahead: the number alone tells nobody. Hence the epoch.
                assert store.poll(late, identity=saved).events == []
                store.bump_epoch()
                for position in (20, late):
                    with pytest.raises(PositionAheadError):
                        store.poll(position, identity=saved)
                assert store.append("order-1", [NewEvent("After", 1)], expected_version=20).last_version == 21
        finally:
            target.stop()
