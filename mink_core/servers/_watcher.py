"""The server's parent. Run by path, alone: it imports nothing of the project.

Holds an exclusive lock on `watcher.lock` while it lives. Users of the server hold shared locks on
`users.lock`; when an exclusive one can be had there is no user left, however they ended, and the
server is stopped. SIGTERM stops it at once. The server's death ends the watcher.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LOOK_SECONDS = 0.25


def main() -> int:
    order = json.loads(sys.argv[1])
    folder = Path(order["folder"])
    alive = os.open(folder / "watcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    users = os.open(folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: asked.append(signum))
    with (folder / "server.log").open("ab") as log:
        try:
            server = subprocess.Popen(  # noqa: S603 -- the program that the launcher found
                order["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                user=order["user"],
                group=order["group"],
                extra_groups=None if order["user"] is None else [],
            )
        except OSError as error:
            # The log's end is what the launcher tells.
            log.write(f"{order['command'][0]} cannot be run: {error}\n".encode())
            return 1
    (folder / "server.json.new").write_text(json.dumps({"watcher": os.getpid(), "server": server.pid}), "utf-8")
    (folder / "server.json.new").replace(folder / "server.json")
    while server.poll() is None:
        if asked or _nobody(users):
            _stop(server, order["stops"])
            break
        time.sleep(LOOK_SECONDS)
    (folder / "server.json").unlink(missing_ok=True)
    if order["temporary"] and _nobody(users):
        import shutil  # noqa: PLC0415 -- only when every user was killed

        shutil.rmtree(folder, ignore_errors=True)
    return server.returncode or 0


def _nobody(users: int) -> bool:
    """Whether no user is left. The lock, once had, is kept: who comes now waits for the stop."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _stop(server: subprocess.Popen[bytes], stops: list[tuple[int, float]]) -> None:
    for number, seconds in stops:
        server.send_signal(number)
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:  # it takes long, or is paused
            continue
        return
    server.kill()
    server.wait()


if __name__ == "__main__":
    sys.exit(main())
