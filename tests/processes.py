"""Other processes: those that use an embedded server, and looking at those that others started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_USE = """
import sys
from importlib import import_module
from pathlib import Path
package, folder = sys.argv[1:]
server = import_module(f"{package}.server").EmbeddedServer.start(Path(folder) if folder else None)
print(server.pid, server.folder, flush=True)
sys.stdin.readline()
server.stop()
"""


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not runs(pid)


class User:
    """Another process that starts an embedded server of a package, or finds the one that runs, and uses it."""

    def __init__(self, package: str, folder: Path | None) -> None:
        command = [sys.executable, "-c", _USE, package, str(folder or "")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        pid, _, place = self.process.stdout.readline().strip().partition(" ")
        self.server, self.folder = int(pid), Path(place)

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)

    def die(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)
