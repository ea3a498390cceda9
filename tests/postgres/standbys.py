"""A primary with one synchronous standby that streams from it, without anybody who watches over them."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mink_postgres.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Callable


class Pair:
    """Two servers on loopback; the second can be promoted."""

    def __init__(self) -> None:
        with ExitStack() as stack:
            self.primary = stack.enter_context(EmbeddedServer.start(settings={"wal_keep_size": "64MB"}))
            self.standby = stack.enter_context(EmbeddedServer.start())
            self._follow()
            self._stack = stack.pop_all()

    def _follow(self) -> None:
        """Make the second server a copy of the first, which waits for it at every commit."""
        url, standby = self.primary.url(), self.standby
        data = standby.folder / "data"
        standby._process.ask_to_stop()
        shutil.rmtree(data)
        program = self.primary._bin / "pg_basebackup"
        command = [program if program.exists() else "pg_basebackup", f"--dbname={url}", f"--pgdata={data}"]
        subprocess.run([*command, "--checkpoint=fast"], check=True, capture_output=True)
        (data / "standby.signal").touch()
        for path in [data, *data.rglob("*")]:
            if standby._account.uid is not None:
                shutil.chown(path, standby._account.uid, standby._account.gid)
        data.chmod(0o700)
        standby._settings |= {"primary_conninfo": make_conninfo(url, application_name="standby")}
        standby._launch(standby.port)
        standby._wait_ready()
        (standby.folder / "password").write_text(str(conninfo_to_dict(url)["password"]), "ascii")
        with self.admin() as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            admin.execute("SELECT pg_reload_conf()")
            self.wait(
                lambda: (
                    admin.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() is not None
                )
            )

    def url(self, **options: Any) -> str:
        """One URL that names both, and wants the one that takes writes."""
        parts = conninfo_to_dict(self.primary.url())
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        said = "".join(f"&{name}={value}" for name, value in options.items())
        return f"postgresql://postgres:{parts['password']}@{hosts}/postgres?target_session_attrs=read-write{said}"

    def admin(self, *, standby: bool = False) -> psycopg.Connection[Any]:
        return psycopg.connect((self.standby if standby else self.primary).url(), autocommit=True)

    def fail_over(self) -> None:
        """Kill the primary, promote the standby."""
        self.primary.kill()
        with self.admin(standby=True) as admin:
            admin.execute("SELECT pg_promote()")

    @staticmethod
    def wait(ready: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
