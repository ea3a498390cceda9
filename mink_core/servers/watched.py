"""One server on a folder, shared by its users: the first starts it, the last to go ends it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mink_core.forks import FORKS
from mink_core.servers.errors import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

STOP_SECONDS = 60.0
_FIRST = "start.lock"
# Watchers that outlive the object that started them, as another process still uses their server.
_left: list[subprocess.Popen[bytes]] = []
_WATCHER = Path(__file__).with_name("_watcher.py")


class Watched:
    """The process on a folder, under a watcher that ends it when no user is left, however they ended."""

    def __init__(self, folder: Path, *, temporary: bool, stops: Sequence[tuple[signal.Signals, float]]) -> None:
        """Start nothing yet.

        Args:
            folder: Where its locks, its log (`server.log`) and the ids of its processes are.
            temporary: Whether the folder goes with the last user.
            stops: The signals that stop the server, and for how many seconds each is waited for before the
                next; after the last, SIGKILL.
        """
        self.folder = folder
        self._temporary = temporary
        self._stops = stops
        self._users: int | None = None
        self._gone = False
        self._forks = FORKS.count
        self._watcher: subprocess.Popen[bytes] | None = None

    def check_folder(self) -> None:
        """Refuse a folder that holds what no server of ours has put there: a server's data goes to names of its own.

        Raises:
            ServerUnavailableError: It holds other files, or is a file; nothing was changed.
        """
        if not self.folder.exists():
            return
        # The lock is the first file that is made.
        if not self.folder.is_dir() or (any(self.folder.iterdir()) and not (self.folder / _FIRST).exists()):
            problem = f"{self.folder} holds other files than a server's; nothing was changed"
            raise ServerUnavailableError(problem, advice="Choose an empty folder, or one that is not there yet.")

    def join(self) -> None:
        """Be a user, until `leave`; only within `deciding`."""
        self._users = self._hold("users.lock", fcntl.LOCK_SH)

    @contextmanager
    def deciding(self) -> Generator[None]:
        """One process at a time decides whether to start the server."""
        handle = self._hold(_FIRST, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)

    def is_running(self) -> bool:
        """Whether a watcher lives: it holds its lock as long as it does."""
        handle = os.open(self.folder / "watcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def has_failed(self) -> bool:
        """Whether the watcher that was launched here has ended."""
        return self._watcher is not None and self._watcher.poll() is not None

    def launch(self, command: Sequence[str], *, user: int | None = None, group: int | None = None) -> None:
        """Start the program; only within `deciding`, where none runs.

        Args:
            command: The program and its arguments.
            user: As whom it runs, where that is not the caller.
            group: With which group.
        """
        (self.folder / "server.json").unlink(missing_ok=True)
        order = {
            "folder": str(self.folder),
            "command": list(command),
            "user": user,
            "group": group,
            "stops": self._stops,
            "temporary": self._temporary,
        }
        self._watcher = subprocess.Popen(  # noqa: S603 -- our own file
            [sys.executable, "-I", "-S", str(_WATCHER), json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            ServerUnavailableError: It does not run.
        """
        return self._state()["server"]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL the server, as a crash does, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        """Stop the server in order, and wait until it is gone."""
        with suppress(ServerUnavailableError, ProcessLookupError):
            os.kill(self._state()["watcher"], signal.SIGTERM)
        self.wait_stopped()

    def leave(self) -> None:
        """Be a user no more; the last one ends the server. Idempotent.

        A process that was forked is no user, though it has its parent's lock: the server goes on.
        """
        if self._gone:
            return
        self._gone = True
        users, self._users = self._users, None
        if self._forks != FORKS.count:
            if users is not None:
                os.close(users)
            return
        if users is not None:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                last = True
            except OSError:
                last = False
            if last and self.is_running():
                self.ask_to_stop()
            os.close(users)
            if not last:
                if self._watcher is not None:
                    _left.append(self._watcher)
                return
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _hold(self, name: str, how: int) -> int:
        handle = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, how)
        return handle

    def _state(self) -> dict[str, int]:
        try:
            state: dict[str, int] = json.loads((self.folder / "server.json").read_text("utf-8"))
        except FileNotFoundError:
            problem = f"the server in {self.folder} is not running"
            raise ServerUnavailableError(problem) from None
        return state

    def wait_stopped(self) -> None:
        """Wait until the server and its watcher are gone."""
        end = time.monotonic() + STOP_SECONDS
        while self.is_running() and time.monotonic() < end:
            time.sleep(0.01)
        if self._watcher is not None:
            self._watcher.wait(STOP_SECONDS)
        _left[:] = [watcher for watcher in _left if watcher.poll() is None]
