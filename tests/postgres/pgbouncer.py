"""PgBouncer before the test server, in transaction mode."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from mink_postgres.server.account import Account

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
MISSING = [name for name, found in (("pgbouncer", PROGRAM), ("setpriv", shutil.which("setpriv"))) if not found]
NEEDED = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
_CONFIGURATION = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
admin_users = {user}
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
server_lifetime = {lifetime}
server_login_retry = 1
logfile = {folder}/pgbouncer.log
"""


class PgBouncer:
    """Serves what the URL names, until it is stopped or this process ends, however it ends."""

    def __init__(self, url: str, *, pool: int = 4, lifetime: int = 3600) -> None:
        assert PROGRAM is not None
        self._parts = conninfo_to_dict(url)
        account = Account.choose()
        self._folder = Path(tempfile.mkdtemp(prefix="mink-pgbouncer-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        user, password = self._parts["user"], self._parts["password"]
        settings = _CONFIGURATION.format(
            host=self._parts["host"],
            port=self._parts["port"],
            own=self.port,
            folder=self._folder,
            user=user,
            pool=pool,
            lifetime=lifetime,
        )
        (self._folder / "pgbouncer.ini").write_text(settings, "utf-8")
        (self._folder / "users.txt").write_text(f'"{user}" "{password}"\n', "utf-8")
        for path in (self._folder, *self._folder.iterdir()):
            if account.uid is not None:
                shutil.chown(path, account.uid, account.gid)
        who: list[str] = []
        if account.uid is not None:  # it refuses root
            who = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        command = ["setpriv", "--pdeathsig=KILL", *who, PROGRAM, "--quiet", str(self._folder / "pgbouncer.ini")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/")
        end = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                log = self._folder / "pgbouncer.log"
                said = log.read_text("utf-8") if log.exists() else "nothing was logged"
                self.stop()
                raise AssertionError(said)
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, database: str | None = None) -> str:
        """A URL that leads through it."""
        user, password = self._parts["user"], self._parts["password"]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database or self._parts['dbname']}"

    def console(self, command: str) -> list[tuple[object, ...]]:
        """Run a command of its own; it speaks the simple protocol only."""
        with psycopg.connect(self.url("pgbouncer"), autocommit=True) as connection:
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(command)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def until_let_go(self, pids: set[int]) -> None:
        """Wait until it has noticed that these sessions of the server have ended."""
        end = time.monotonic() + 60
        with psycopg.connect(self.url("pgbouncer"), autocommit=True) as connection:
            cursor = psycopg.ClientCursor(connection, row_factory=dict_row)
            while pids & {int(row["remote_pid"]) for row in cursor.execute("SHOW SERVERS")}:
                assert time.monotonic() < end
                time.sleep(0.01)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
