"""Child processes as an unprivileged user, gone when this process is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mink_benchmarks.faults.lab import CannotInflictError
from mink_postgres.server import ServerUnavailableError, find_binaries
from mink_postgres.server.account import Account

if TYPE_CHECKING:
    from collections.abc import Sequence


class Programs:
    """Where the programs are that a cluster needs."""

    def __init__(self) -> None:
        """Look for them.

        Raises:
            CannotInflictError: One is missing; says which, and how it is had.
        """
        self.account = Account.choose()
        beside = Path(sys.executable).with_name("patroni")
        patroni = str(beside) if beside.exists() else shutil.which("patroni")
        if patroni is None:
            why = "patroni is not installed: pip install 'mink-eventstore[ha]'"
            raise CannotInflictError(why)
        etcd = shutil.which("etcd")
        if etcd is None:
            why = "no etcd program is installed (Debian: apt-get install etcd-server)"
            raise CannotInflictError(why)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            why = "no setpriv program is installed, by which what is started here ends with this process (util-linux)"
            raise CannotInflictError(why)
        try:
            self.bin_dir = find_binaries().bin_dir
        except ServerUnavailableError as error:
            raise CannotInflictError(str(error)) from error
        self.patroni, self.etcd, self._setpriv = patroni, etcd, setpriv

    def start(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program as the servers' user; it is asked to end when this process ends, however that ends."""
        who: list[str] = []
        if self.account.uid is not None:
            who = [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups"]
            # Patroni's interpreter may be in a folder of root's alone.
            who += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        with log.open("ab") as file:
            return subprocess.Popen(
                [self._setpriv, "--pdeathsig=TERM", *who, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
                env={**os.environ, "ETCD_UNSUPPORTED_ARCH": "arm64", "LC_ALL": "C.UTF-8"},
            )


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
