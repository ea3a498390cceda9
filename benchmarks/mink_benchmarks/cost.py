"""Where a microsecond goes: processor time of the client and of the server for one event.

Processor time depends far less than rates on what else the machine does, and on its disk. On Linux,
and for a server on the same machine.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks import floors
from mink_benchmarks.appends import Appends, TenEvents
from mink_benchmarks.processes import NotCountedError, ServerClock
from mink_benchmarks.reads import Reads
from mink_benchmarks.report import table
from mink_benchmarks.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_REAPED = 0.5
"""Seconds after which a session that ended has computed its last."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one event."""

    name: str
    client: float
    server: float | None
    """None where it could not be counted."""
    not_counted: str = ""
    """Why."""


def measure_costs(
    server: Server, workload: Workload, seconds: float, progress: Callable[[str], None]
) -> dict[str, list[Cost]]:
    """Appends and reads, ours and the floors'."""
    with ExitStack() as stack:
        try:
            server_seconds = stack.enter_context(ServerClock(server.url)).seconds
        except NotCountedError as error:
            server_seconds = partial(_not_counted, error)

        def costs(cases: list[Case]) -> list[Cost]:
            return [_cost(case, server_seconds, seconds, progress) for case in cases]

        return {
            "one append": costs(_append_cases(server, workload)),
            "one event read": costs(_read_cases(server, workload)),
        }


def as_table(name: str, costs: Sequence[Cost]) -> str:
    """The costs of one kind, for people."""
    rows = [
        [cost.name, f"{cost.client:.1f}", "not counted" if cost.server is None else f"{cost.server:.1f}"]
        for cost in costs
    ]
    notes = "".join(f"\nnot counted: {why}" for why in sorted({cost.not_counted for cost in costs} - {""}))
    return table([f"{name}, processor time", "client µs", "server µs"], rows) + notes


def _append_cases(server: Server, workload: Workload) -> list[Case]:
    def made(kind: type[Appends], name: str, writers: int, driver: str, **options: Any) -> Case:
        return kind(name, _target(server, server.new_schema("cost"), driver, **options), workload, writers)

    cases: list[Case] = []
    floors.load_floor(server)
    if floors.pgbench_found():
        cases += [floors.PgbenchFloor(f"pgbench floor, {clients}", server, clients) for clients in (1, 64)]
    return [
        *cases,
        floors.psycopg_call(server, workload),
        floors.asyncpg_call(server, workload),
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


@dataclass(frozen=True, slots=True)
class _Used:
    """What one measurement took."""

    count: int = 0
    client: float = 0.0
    server: float = 0.0
    why: str = ""
    """Why the server's is not known."""


def _cost(case: Case, server_seconds: Callable[[], float], seconds: float, progress: Callable[[str], None]) -> Cost:
    progress(case.name)
    case.open()
    try:
        case.measure(min(seconds, 0.3))
        # What a floor needs to begin, 64 sessions of pgbench above all, a store has done before.
        begin = _used(case, server_seconds, 0.0)
        whole = _used(case, server_seconds, seconds)
    finally:
        case.close()
    if whole.count == begin.count:  # too short to tell
        begin = _Used()
    each = 1e6 / (whole.count - begin.count)
    server = whole.server - begin.server
    why = begin.why or whole.why or ("the server's clock stood still" if server <= 0 else "")
    return Cost(case.name, (whole.client - begin.client) * each, None if why else server * each, why)


def _used(case: Case, server_seconds: Callable[[], float], seconds: float) -> _Used:
    why = ""
    before = after = 0.0
    time.sleep(_REAPED)
    try:
        before = server_seconds()
    except NotCountedError as error:
        why = str(error)
    client = _client_seconds()
    count = case.measure(seconds).count
    client = _client_seconds() - client
    time.sleep(_REAPED)
    try:
        after = server_seconds()
    except NotCountedError as error:
        why = str(error)
    return _Used(count, client, after - before, why)


def _not_counted(error: NotCountedError) -> float:
    raise error


def _client_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
