"""What groups of goals are put together from: stores, floors and peers on one server."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from mink_benchmarks import floors
from mink_benchmarks.judging import Goal
from mink_benchmarks.targets import target_of

if TYPE_CHECKING:
    from mink_benchmarks.judging import Group
    from mink_benchmarks.server import Server
    from mink_benchmarks.targets import Target
    from mink_benchmarks.workload import Workload

GO_MINK = {1: 0.42, 64: 0.55}
"""go-mink (Go, pgx, its own API, commit c9b29f0) of the pgbench floor with the fence's trigger on, by writers:
measured once on two cores with PostgreSQL 15. Its module comes from Go's proxy, so that it cannot be measured in
the same run here; the rows made of this say so."""


class Parts:
    """Adds cases to a group, and tells what could not be had."""

    def __init__(self, server: Server, workload: Workload) -> None:
        """Take where to measure, and what with."""
        self.server = server
        self.workload = workload
        self.pgbench = floors.pgbench_found()
        self.eventsourcing = importlib.util.find_spec("eventsourcing") is not None
        self.umadb = importlib.util.find_spec("umadb") is not None
        floors.load_floor(server)

    def _target(self, *, driver: str = "", schema: str = "", **options: Any) -> Target:
        name = schema or self.server.new_schema("mink")
        base = self.server.url
        url = base.replace("postgresql://", f"postgresql+{driver}://") if driver == "asyncpg" else base
        return target_of(f"{url}?schema={name}", is_async=bool(driver), **options)

    def _floor(self, group: Group, clients: int, events: int = 1) -> str | None:
        # Anew in each group, as the stores are: its table has more indexes, and grew from group to group.
        floors.load_floor(self.server)
        name = f"floor, {clients}" + (f", {events} events" if events > 1 else "")
        if not self.pgbench:
            group.missing.append("pgbench is not installed: no floor")
            return None
        group.cases.append(floors.PgbenchFloor(name, self.server, clients, events))
        return name

    def _eventsourcing(self, group: Group, writers: int) -> str | None:
        if not self.eventsourcing:
            group.missing.append("eventsourcing is not installed: pip install 'mink-eventstore[peers]'")
            return None
        from mink_benchmarks.peers import eventsourcing_recorder  # noqa: PLC0415 -- an extra

        case = eventsourcing_recorder.Appends(self.server, self.workload, writers)
        group.cases.append(case)
        return case.name

    def _umadb(self, group: Group, writers: int, events: int = 1) -> str | None:
        if not self.umadb:
            group.missing.append("umadb is not installed: pip install 'mink-eventstore[peers]'")
            return None
        from mink_benchmarks.peers import umadb_server  # noqa: PLC0415 -- an extra

        case = umadb_server.Appends(self.workload, writers, events)
        group.cases.append(case)
        return case.name

    def _go_mink(self, group: Group, what: str, case: str, floor: str | None, writers: int, at_least: float) -> None:
        if floor is not None:
            share = GO_MINK[writers]
            label = f"{what}: of go-mink, derived, not measured here (its published {share:.2f} of the floor)"
            group.goals.append(Goal(label, case, at_least, floor, of_baseline=share))

    def _against(self, group: Group, what: str, case: str, baseline: str | None, at_least: float) -> None:
        if baseline is not None:
            group.goals.append(Goal(what, case, at_least, baseline))
