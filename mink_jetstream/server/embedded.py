"""A real NATS server with JetStream and no set-up: started here, and gone when its last user is."""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from mink_core.servers import ServerUnavailableError, Watched
from mink_jetstream.server.program import Program, find_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

START_SECONDS = 60.0
STOP_SECONDS = 5.0
USER = "mink"
MAX_PAYLOAD = 20 * 1024 * 1024
"""Bytes in a message: the core's limits for data and metadata, and room for headers."""


class EmbeddedServer:
    """A server on loopback, with durable settings, used by one or more processes.

    A folder that is given is kept, and a second start on it, from whichever process, attaches to the
    server that runs there. The last user to stop, or to die, ends it.
    """

    def __init__(self, folder: Path, program: Program, settings: Mapping[str, Any], *, temporary: bool) -> None:
        """Use `start`."""
        self.folder = folder
        self.program = program
        self._settings = settings
        self._process = Watched(folder, temporary=temporary, stops=[(signal.SIGTERM, STOP_SECONDS)])
        self.ports: dict[str, int] = {}
        """By `nats` (clients), `monitoring` (HTTP) and, in a cluster, `cluster` (routes)."""

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        *,
        program: Program | None = None,
        settings: Mapping[str, Any] | None = None,
        password: str | None = None,
    ) -> Self:
        """Start a server, or attach to the one that runs on the folder.

        Args:
            folder: Where its data is kept; None for a temporary one, removed at the end.
            program: Which program; found when not given.
            settings: The server's settings beside ours; an attached server keeps its own.
            password: For clients; a random one when not given.

        Raises:
            ServerUnavailableError: No program was found, or the server did not start; says why.
        """
        found = program or find_program()
        temporary = folder is None
        place = Path(tempfile.mkdtemp(prefix="mink-nats-")) if folder is None else folder.absolute()
        server = cls(place, found, settings or {}, temporary=temporary)
        try:
            server._process.check_folder()
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            with server._process.deciding():
                server._process.join()
                if not server._process.is_running():
                    server._keep_password(password)
                    server._launch()
                server.ports = server._wait_ready()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """A URL for NATS clients, with the server's random password. Append `/store` for a store on it."""
        return f"nats://{self.credentials}@127.0.0.1:{self.ports['nats']}"

    @property
    def credentials(self) -> str:
        """`user:password`, for clients and for routes."""
        return f"{USER}:{(self.folder / 'password').read_text('ascii')}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def process(self) -> Watched:
        """The server's process, for what tests do to it: signals, a kill."""
        return self._process

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self.folder / "server.log"

    def monitor(self, path: str) -> dict[str, Any]:
        """What the server says at a path of its monitoring port, such as `/varz`.

        Raises:
            ServerUnavailableError: It does not answer.
        """
        connection = HTTPConnection("127.0.0.1", self.ports["monitoring"], timeout=5)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, HTTPException, ValueError) as error:
            problem = f"the server in {self.folder} does not answer: {type(error).__name__}: {error}"
            raise ServerUnavailableError(problem) from error
        finally:
            connection.close()
        return answer

    def kill(self) -> None:
        """SIGKILL the server, as a crash does; `restart` recovers."""
        self._process.kill()

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same ports."""
        with self._process.deciding():
            if self._process.is_running():
                self._process.ask_to_stop()
            self._launch()
            self.ports = self._wait_ready()

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

    def _keep_password(self, given: str | None) -> None:
        """Loopback is open to every user of the machine."""
        path = self.folder / "password"
        if given is None and path.exists():
            return
        path.touch(mode=0o600)
        path.write_text(given or secrets.token_hex(16), "ascii")

    def _launch(self) -> None:
        written = self.folder / "server.conf"
        written.touch(mode=0o600)
        # The server reads JSON as well as its own format.
        written.write_text(json.dumps(self._configuration(), indent=2), "utf-8")
        (self.folder / "ports").mkdir(exist_ok=True)
        for old in (self.folder / "ports").iterdir():
            old.unlink()
        self._process.launch([str(self.program.path), "--config", str(written)])

    def _configuration(self) -> dict[str, Any]:
        ports = {name: self.ports.get(name, -1) for name in ("nats", "monitoring", "cluster")}
        configuration: dict[str, Any] = {
            "server_name": "mink",
            "host": "127.0.0.1",
            "port": ports["nats"],
            "http": f"127.0.0.1:{ports['monitoring']}",
            "ports_file_dir": str(self.folder / "ports"),
            "authorization": dict(zip(("user", "password"), self.credentials.split(":"), strict=True)),
            "max_payload": MAX_PAYLOAD,
            # Every write is on disk before it is acknowledged; the server's own habit is two minutes later.
            "jetstream": {"store_dir": str(self.folder / "data"), "sync_interval": "always"},
            **self._settings,
        }
        if "cluster" in configuration:
            configuration["cluster"] = {**configuration["cluster"], "host": "127.0.0.1", "port": ports["cluster"]}
        return configuration

    def _wait_ready(self) -> dict[str, int]:
        """Wait until the server takes clients and JetStream is up; give its ports."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(ServerUnavailableError, OSError, ValueError, StopIteration):
                written = next((self.folder / "ports").glob(f"*_{self.pid}.ports"))
                self.ports = {
                    name: urlsplit(urls[0]).port or 0 for name, urls in json.loads(written.read_text("utf-8")).items()
                }
                if self.monitor("/healthz?js-enabled-only=true").get("status") == "ok":
                    return self.ports
            if self._process.has_failed():
                break
            time.sleep(0.01)
        tail = self.log_path.read_text("utf-8", errors="replace")[-2000:] if self.log_path.exists() else ""
        problem = f"the NATS server did not start in {self.folder}; the end of its log:\n{tail}"
        raise ServerUnavailableError(problem)
