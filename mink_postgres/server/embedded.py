"""A real PostgreSQL with no set-up: started here, and gone when its last user is."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mink_core.servers import ServerUnavailableError, Watched
from mink_postgres.server.account import Account
from mink_postgres.server.binaries import Binaries, find_binaries
from mink_postgres.server.processes import kill_with_children

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

START_SECONDS = 60.0
# Fast, then immediate: a client that does not go must not hold the end up.
_STOPS = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0))
_LOG_LINES = 8
_PORTS = 3
"""How many free ports are tried."""
_TAKEN = "could not create any TCP/IP sockets"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "shared_buffers": "128MB",
}


class EmbeddedServer:
    """A server on loopback, with durable settings, used by one or more processes.

    A folder that is given is kept, and a second start on it, from whichever process, attaches to the
    server that runs there. The last user to stop, or to die, ends it.
    """

    def __init__(self, folder: Path, binaries: Binaries, settings: Mapping[str, str], *, temporary: bool) -> None:
        """Use `start`."""
        self.folder = folder
        self.binaries = binaries
        self._settings = {**_SETTINGS, **settings}
        self._temporary = temporary
        self._account = Account.choose()
        self._process = Watched(folder, temporary=temporary, stops=_STOPS)
        self.port = 0

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        *,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a server, or attach to the one that runs on the folder.

        Args:
            folder: Where its data is kept; None for a temporary one, removed at the end.
            binaries: Which programs; found when not given.
            settings: PostgreSQL settings beside the defaults; an attached server keeps its own.

        Raises:
            ServerUnavailableError: No programs were found, or the server did not start; says why.
        """
        found = binaries or _programs_for(folder)
        temporary = folder is None
        place = Path(tempfile.mkdtemp(prefix="mink-postgres-")) if folder is None else folder.absolute()
        server = cls(place, found, settings or {}, temporary=temporary)
        try:
            server._account.check_reach(place)
            server._process.check_folder()
            place.mkdir(parents=True, exist_ok=True)
            # Another user's server must pass through; the data folder itself is closed.
            place.chmod(0o711)
            with server._process.deciding():
                server._process.join()
                if server._process.is_running():
                    server.port = server._wait_ready()
                else:
                    server._prepare()
                    server._launch_where_it_can_listen()
        except BaseException:
            server.stop()
            raise
        return server

    def url(self, database: str = "postgres") -> str:
        """A URL for psycopg and asyncpg, as the server's superuser, with its random password."""
        return f"postgresql://postgres:{self._password()}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self.folder / "server.log"

    def kill(self) -> None:
        """SIGKILL the server and its backends, as a crash does; `restart` recovers."""
        kill_with_children(self.pid)
        self._process.wait_stopped()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port."""
        with self._process.deciding():
            if self._process.is_running():
                self._process.ask_to_stop()
            self._launch(self.port)
            self._wait_ready()

    def stop(self) -> None:
        """Let go; the last user ends the server, and removes a temporary one's folder. Idempotent."""
        self._process.leave()

    def __enter__(self) -> Self:
        """The server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _password(self) -> str:
        return (self.folder / "password").read_text("ascii").strip()

    def _prepare(self) -> None:
        """Make the data folder, once."""
        self._bin = self._account.reachable(self.binaries, self.folder / "programs")
        if (self.folder / "data").exists():
            return
        if not (self.folder / "password").exists():
            # Loopback is open to every user of the machine, and a superuser may run programs.
            handle = os.open(self.folder / "password", os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(16))
                file.flush()
                os.fsync(handle)
        # It gets its name when it is whole: what was killed in the middle is begun anew.
        data = self.folder / "data.new"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        self._account.own(data)
        said = ""
        # Of the server's user, who cannot read ours: a file, as not every program list is private.
        readable = self.folder / "password.initdb"
        readable.write_text(self._password(), "ascii")
        self._account.own(readable)
        for locale in ("C.UTF-8", "C"):
            command = [
                str(self._bin / "initdb"),
                f"--pgdata={data}",
                "--username=postgres",
                "--encoding=UTF8",
                f"--locale={locale}",
                "--auth=scram-sha-256",
                f"--pwfile={readable}",
                # What initdb makes, the server itself never writes to the disk.
                *(["--no-sync"] if self._temporary else []),
            ]
            done = subprocess.run(  # noqa: S603 -- the programs that were found
                command,
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                **self._account.popen_options(),
            )
            if done.returncode == 0:
                readable.unlink()
                data.rename(self.folder / "data")
                _sync(self.folder)
                return
            said = (done.stdout + done.stderr)[-2000:]
            shutil.rmtree(data, ignore_errors=True)
            data.mkdir()
            self._account.own(data)
        problem = f"initdb ({self.binaries.origin}, {self.binaries.bin_dir}) failed:\n{said}"
        raise ServerUnavailableError(problem)

    def _launch_where_it_can_listen(self) -> None:
        """Start on a free port, and on another where somebody takes that before the server does."""
        for tries_left in reversed(range(_PORTS)):
            self._launch()
            try:
                self._wait_ready()
            except ServerUnavailableError as error:
                if not tries_left or not any(_TAKEN in line for line in error.tried):
                    raise
            else:
                return

    def _launch(self, port: int = 0) -> None:
        self._bin = self._account.reachable(self.binaries, self.folder / "programs")
        self.port = port or _free_port()
        settings = {**self._settings, "port": str(self.port)}
        command = [str(self._bin / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._process.launch(command, user=self._account.uid, group=self._account.gid)

    def _wait_ready(self) -> int:
        """Wait until the postmaster says that it takes connections; give its port."""
        end = time.monotonic() + START_SECONDS
        status = self.folder / "data" / "postmaster.pid"
        while time.monotonic() < end:
            with suppress(ServerUnavailableError, OSError, IndexError, ValueError):
                lines = status.read_text("utf-8", errors="replace").splitlines()
                if int(lines[0]) == self._process.pid and lines[7].strip() == "ready":
                    return int(lines[3])
            if self._process.has_failed():
                break
            time.sleep(0.01)
        log = self.log_path.read_text("utf-8", errors="replace") if self.log_path.exists() else ""
        problem = f"PostgreSQL did not start in {self.folder}; the end of its log, {self.log_path}:"
        raise ServerUnavailableError(problem, log.splitlines()[-_LOG_LINES:])


def _programs_for(folder: Path | None) -> Binaries:
    """Programs of the version that made the folder's data, as no other can read them; any for a new folder."""
    major = None
    if folder is not None:
        with suppress(OSError):
            major = (folder / "data" / "PG_VERSION").read_text("ascii").strip()
    try:
        return find_binaries(major)
    except ServerUnavailableError as error:
        if major is None:
            raise
        problem = f"the data in {folder} were made by PostgreSQL {major}, whose programs were not found; tried:"
        advice = (
            f"Set MINK_POSTGRES_BIN to the folder of PostgreSQL {major}'s programs; or take another folder: "
            "mink export and mink import move events from one store to another."
        )
        raise ServerUnavailableError(problem, error.tried, advice=advice) from None


def _sync(folder: Path) -> None:
    """Let the folder's names survive the machine."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
