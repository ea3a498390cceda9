"""A process that is forked leaves its parent's server alone, also where it leaves the server's block."""

from __future__ import annotations

import pytest

from mink_postgres.server import ServerUnavailableError, find_binaries
from tests import forking

PROGRAM = """
import psycopg
from pathlib import Path
from tempfile import mkdtemp
from mink_postgres.server import ContainerServer, EmbeddedServer

class StandIn:
    stopped = 0

    def start(self):
        pass

    def stop(self):
        self.stopped += 1

kept = Path(mkdtemp(prefix="mink-test-"))
kept.chmod(0o755)
for folder in (None, kept / "kept"):
    with EmbeddedServer.start(folder) as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept (x int)")
        assert forked(server.stop) == 0
        assert forked(lambda: server.__exit__(None, None, None)) == 0
        with psycopg.connect(server.url()) as connection:
            connection.execute("SELECT x FROM kept")
        if folder is not None:
            def use():
                with EmbeddedServer.start(folder) as own:
                    server.stop()
                    psycopg.connect(own.url()).close()

            assert forked(use) == 0
            psycopg.connect(server.url()).close()
    assert (folder is not None) is server.folder.exists()
    try:
        psycopg.connect(server.url() if folder else "postgresql://127.0.0.1:%s" % server.port)
    except psycopg.OperationalError:
        pass
    else:
        raise AssertionError("it goes on without a user")
import shutil
shutil.rmtree(kept)

with ContainerServer.start(make=lambda _: StandIn()) as contained:
    def leave_block():
        contained.stop()
        assert not contained._container.stopped

    assert forked(leave_block) == 0
assert contained._container.stopped == 1
"""


def test_a_child_ends_no_server_of_its_parent() -> None:
    try:
        find_binaries()
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    forking.run(PROGRAM)
