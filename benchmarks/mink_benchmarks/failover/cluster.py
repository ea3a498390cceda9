"""Three nodes under Patroni, with etcd, on loopback."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import psycopg

from mink_benchmarks.failover.processes import Programs, free_ports
from mink_benchmarks.faults.lab import CannotInflictError
from mink_postgres.server.processes import kill_with_children

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

NODES = 3
START_SECONDS = 120.0
# The shortest that Patroni allows: a node that has vanished is replaced after 20 s.
_TTL, _LOOP_WAIT, _RETRY_TIMEOUT = 20, 1, 5
_SETTINGS = {
    "max_connections": 120,
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "wal_keep_size": "256MB",
    "hot_standby_feedback": "on",
}


class Node:
    """One server with its Patroni."""

    def __init__(self, name: str, folder: Path, port: int, rest_port: int) -> None:
        """Keep where it is."""
        self.name = name
        self.folder = folder
        self.port = port
        self.rest_port = rest_port
        self.patroni: subprocess.Popen[bytes] | None = None

    @property
    def postmaster(self) -> int | None:
        """The process id of its PostgreSQL, as far as it says so."""
        with suppress(OSError, ValueError, IndexError):
            return int((self.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])
        return None

    def kill_server(self) -> None:
        """SIGKILL PostgreSQL and its backends; Patroni lives and sees it."""
        if (pid := self.postmaster) is not None:
            kill_with_children(pid)

    def kill(self) -> None:
        """SIGKILL Patroni first, so that nobody tells etcd, then PostgreSQL: as a machine that loses its power."""
        if self.patroni is not None:
            self.patroni.kill()
            self.patroni.wait(10)
        self.kill_server()

    def freeze_replication(self) -> None:
        """Stop what sends to the standbys: from now on a commit that does not wait for them is on this node alone."""
        pid = self.postmaster
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError, ValueError):
                parent = int((entry.parent / "stat").read_text("utf-8").rpartition(")")[2].split()[1])
                if parent == pid and b"walsender" in entry.read_bytes():
                    os.kill(int(entry.parent.name), signal.SIGSTOP)


class Cluster:
    """etcd and the nodes. A context manager; nothing of it outlives the process."""

    def __init__(self, *, synchronous: bool, nodes: int = NODES) -> None:
        """Choose ports; nothing is started yet.

        Raises:
            CannotInflictError: A program is missing.
        """
        self._programs = Programs()
        self._synchronous = synchronous
        self._folder = Path(tempfile.mkdtemp(prefix="mink-failover-"))
        self._password = secrets.token_hex(12)
        ports = free_ports(2 + 2 * nodes)
        self._etcd_port, self._peer_port = ports[:2]
        self.nodes = [
            Node(f"node{n + 1}", self._folder / f"node{n + 1}", ports[2 + 2 * n], ports[3 + 2 * n])
            for n in range(nodes)
        ]
        self._etcd: subprocess.Popen[bytes] | None = None

    def url(self, **options: str) -> str:
        """One URL that names all nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        said = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://postgres:{self._password}@{hosts}/postgres?target_session_attrs=read-write&{said}".rstrip(
            "&"
        )

    def __enter__(self) -> Self:
        """Start it and wait until it is whole."""
        self._own(self._folder)
        try:
            self._start_etcd()
            for node in self.nodes:
                node.folder.mkdir()
                self._own(node.folder)
                self._write_configuration(node)
            self.start(self.nodes[0])
            self.wait(lambda members: any(it["role"] == "leader" for it in members), "no leader")
            for node in self.nodes[1:]:
                self.start(node)
            self.wait_whole()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all of it."""
        self.stop()

    def start(self, node: Node) -> None:
        """Start a node's Patroni, which starts or restores its PostgreSQL."""
        command = [self._programs.patroni, str(node.folder / "patroni.yml")]
        node.patroni = self._programs.start(command, node.folder / "patroni.log")

    def stop(self) -> None:
        """Kill everything and remove the folder."""
        for node in self.nodes:
            node.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def members(self) -> list[dict[str, Any]]:
        """What Patroni says of the nodes; empty where nobody answers."""
        for node in self.nodes:
            if node.patroni is not None and node.patroni.poll() is None:
                with suppress(OSError, URLError, ValueError, KeyError):
                    with urlopen(f"http://127.0.0.1:{node.rest_port}/cluster", timeout=2) as answer:
                        found: list[dict[str, Any]] = json.load(answer)["members"]
                    return found
        return []

    def leader(self) -> Node:
        """The primary, by Patroni's word."""
        name = next(it["name"] for it in self.members() if it["role"] == "leader")
        return next(node for node in self.nodes if node.name == name)

    def wait_writable(self) -> None:
        """Wait until a node takes writes: a promotion that Patroni tells of may not be over yet.

        Raises:
            CannotInflictError: None does.
        """
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(connect_timeout="2")).close()
            except psycopg.Error as error:
                if time.monotonic() > end:
                    why = f"no node takes writes: {error}"
                    raise CannotInflictError(why) from error
                time.sleep(0.1)
            else:
                return

    def wait_whole(self) -> None:
        """Wait for a primary, and a standby that streams for each other node; one of them synchronous if so wanted."""
        self.wait(self._is_whole, "the cluster is not whole")

    def wait(self, ready: Callable[[list[dict[str, Any]]], bool], problem: str) -> None:
        """Wait for something that the members say.

        Raises:
            CannotInflictError: It did not come; with the end of the nodes' logs.
        """
        end = time.monotonic() + START_SECONDS
        while not ready(self.members()):
            if time.monotonic() > end:
                logs = "\n".join(
                    (node.folder / "patroni.log").read_text("utf-8", "replace")[-1500:]
                    for node in self.nodes
                    if (node.folder / "patroni.log").exists()
                )
                why = f"{problem} after {START_SECONDS:.0f} s; the end of the logs:\n{logs}"
                raise CannotInflictError(why)
            time.sleep(0.1)

    def _is_whole(self, members: list[dict[str, Any]]) -> bool:
        roles = [it["role"] for it in members if it.get("state") in ("running", "streaming")]
        standbys = [it for it in members if it["role"] != "leader" and it.get("state") == "streaming"]
        return (
            roles.count("leader") == 1
            and len(standbys) == len(self.nodes) - 1
            and (not self._synchronous or "sync_standby" in roles)
        )

    def _own(self, folder: Path) -> None:
        self._programs.account.own(folder)

    def _start_etcd(self) -> None:
        data = self._folder / "etcd"
        data.mkdir()
        self._own(data)
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        command = [self._programs.etcd, "--name=one", f"--data-dir={data}", f"--initial-cluster=one={peer}"]
        command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
        command += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        self._etcd = self._programs.start(command, self._folder / "etcd.log")
        end = time.monotonic() + 20
        while True:
            with suppress(OSError, URLError), urlopen(f"{client}/health", timeout=1):  # noqa: S310 -- our own
                return
            if time.monotonic() > end or self._etcd.poll() is not None:
                why = f"etcd did not start: {(self._folder / 'etcd.log').read_text('utf-8', 'replace')[-1000:]}"
                raise CannotInflictError(why)
            time.sleep(0.05)

    def _write_configuration(self, node: Node) -> None:
        users = {
            role: {"username": name, "password": self._password}
            for role, name in (("superuser", "postgres"), ("replication", "replicator"), ("rewind", "rewinder"))
        }
        configuration = {
            "scope": "mink",
            "name": node.name,
            "restapi": {"listen": f"127.0.0.1:{node.rest_port}", "connect_address": f"127.0.0.1:{node.rest_port}"},
            "etcd3": {"host": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": _TTL,
                    "loop_wait": _LOOP_WAIT,
                    "retry_timeout": _RETRY_TIMEOUT,
                    # A primary that crashed is replaced, not restarted.
                    "primary_start_timeout": 0,
                    "maximum_lag_on_failover": 1 << 30,
                    "synchronous_mode": self._synchronous,
                    "postgresql": {"use_pg_rewind": True, "parameters": _SETTINGS},
                },
                "initdb": ["data-checksums", {"encoding": "UTF8"}, {"locale": "C.UTF-8"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(node.folder / "data"),
                "bin_dir": str(self._programs.bin_dir),
                "pgpass": str(node.folder / "pgpass"),
                "authentication": users,
                "remove_data_directory_on_diverged_timelines": True,
                "remove_data_directory_on_rewind_failure": True,
                "pg_hba": [f"host {name} all 127.0.0.1/32 scram-sha-256" for name in ("all", "replication")],
            },
            "watchdog": {"mode": "off"},
        }
        path = node.folder / "patroni.yml"
        path.write_text(json.dumps(configuration), "utf-8")  # which is YAML as well
        self._own_file(path)

    def _own_file(self, path: Path) -> None:
        path.chmod(0o600)
        account = self._programs.account
        if account.uid is not None:
            shutil.chown(path, account.uid, account.gid)
