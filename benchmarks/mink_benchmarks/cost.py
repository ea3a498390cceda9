"""Where a microsecond goes: processor time of the client and of the server for one event.

Processor time depends far less than rates on what else the machine does, and on its disk. On Linux,
and for a server on the same machine.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_benchmarks import floors
from mink_benchmarks.appends import Appends, TenEvents
from mink_benchmarks.reads import Reads
from mink_benchmarks.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_TICK = os.sysconf("SC_CLK_TCK")
_REAPED = 0.5
"""Seconds after which a session that ended is in its parent's time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one event."""

    name: str
    client: float
    server: float


def measure_costs(
    server: Server, workload: Workload, seconds: float, progress: Callable[[str], None]
) -> dict[str, list[Cost]]:
    """Appends and reads, ours and the floors'."""
    return {
        "one append": [_cost(case, server, seconds, progress) for case in _append_cases(server, workload)],
        "one event read": [_cost(case, server, seconds, progress) for case in _read_cases(server, workload)],
    }


def _append_cases(server: Server, workload: Workload) -> list[Case]:
    def made(kind: type[Appends], name: str, writers: int, driver: str, **options: Any) -> Case:
        return kind(name, _target(server, server.new_schema("cost"), driver, **options), workload, writers)

    cases: list[Case] = []
    if floors.pgbench_found():
        floors.load_floor(server)
        cases += [floors.PgbenchFloor(f"pgbench floor, {clients}", server, clients) for clients in (1, 64)]
        cases += [floors.psycopg_call(server, workload), floors.asyncpg_call(server, workload)]
    return [
        *cases,
        made(Appends, "mink psycopg, 1 thread", 1, ""),
        made(Appends, "mink asyncpg, 1 task", 1, "asyncpg"),
        made(Appends, "mink psycopg, 64 threads", 64, ""),
        made(Appends, "mink psycopg, 64 threads, not grouped", 64, "", group_commits=False),
        made(Appends, "mink asyncpg, 64 tasks", 64, "asyncpg"),
        made(Appends, "mink asyncpg, 64 tasks, not grouped", 64, "asyncpg", group_commits=False),
        made(TenEvents, "mink asyncpg, 64 tasks, ten events: each", 64, "asyncpg"),
    ]


def _read_cases(server: Server, workload: Workload) -> list[Case]:
    schema = server.new_schema("cost")

    def made(name: str, driver: str, *, touch: bool) -> Case:
        return Reads(name, _target(server, schema, driver), workload, events=50_000, how="replay", touch=touch)

    return [
        made("mink asyncpg, looked at", "asyncpg", touch=True),
        made("mink asyncpg, not looked at", "asyncpg", touch=False),
        floors.asyncpg_pages("asyncpg, pages decoded", server, schema, decode=True),
        floors.asyncpg_pages("asyncpg, pages as text", server, schema, decode=False),
        made("mink psycopg, looked at", "", touch=True),
        made("mink psycopg, not looked at", "", touch=False),
        floors.psycopg_pages("psycopg, pages decoded", server, schema, decode=True),
        floors.psycopg_pages("psycopg, pages as text", server, schema, decode=False),
    ]


def _target(server: Server, schema: str, driver: str, **options: Any) -> Any:
    url = server.url.replace("postgresql://", f"postgresql+{driver}://") if driver else server.url
    return target_of(f"{url}?schema={schema}", is_async=bool(driver), **options)


def _cost(case: Case, server: Server, seconds: float, progress: Callable[[str], None]) -> Cost:
    progress(case.name)
    case.open()
    try:
        case.measure(min(seconds, 0.3))
        postmaster = _parent(int(server.run("SELECT pg_backend_pid()")[0][0]))
        time.sleep(_REAPED)
        client, backends = _client_seconds(), _server_seconds(postmaster)
        count = case.measure(seconds).count
        time.sleep(_REAPED)
        return Cost(
            case.name,
            1e6 * (_client_seconds() - client) / count,
            1e6 * (_server_seconds(postmaster) - backends) / count,
        )
    finally:
        case.close()


def _client_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _parent(pid: int) -> int:
    # The first connection's process may have ended already: then any other postgres process will do.
    path = Path("/proc", str(pid), "stat")
    if path.exists():
        return int(_fields(path)[1])
    return next(
        int(_fields(found)[1])
        for found in Path("/proc").glob("[0-9]*/stat")
        if found.read_text().split()[1] == "(postgres)"
    )


def _fields(path: Path) -> list[str]:
    return path.read_text().rpartition(") ")[2].split()


def _server_seconds(postmaster: int) -> float:
    """Of the postmaster, of its children that live, and of those that it has seen end."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(path)
        except OSError:
            continue  # it has ended just now
        if int(path.parent.name) == postmaster:
            ticks += sum(int(field) for field in fields[11:15])
        elif int(fields[1]) == postmaster:
            ticks += sum(int(field) for field in fields[11:13])
    return ticks / _TICK
