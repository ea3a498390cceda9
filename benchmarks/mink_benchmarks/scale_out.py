"""PostgreSQL beside JetStream, on one node and on three, in interleaved rounds of one run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.samples import run_rounds
from mink_benchmarks.scenarios import cases_of
from mink_benchmarks.targets import target_of
from mink_jetstream.server import EmbeddedServer, nats_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

BASE = "PostgreSQL"


@dataclass(slots=True)
class ScaleOut:
    """What was found."""

    groups: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)
    """Bytes an event of the log that is replayed, by store; of one copy."""
    servers: dict[str, str] = field(default_factory=dict)


def measure_scale_out(
    server: Server,
    workload: Workload,
    *,
    writers: Sequence[int],
    events: int,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> ScaleOut:
    """Measure `append-1` and `replay` by the async door.

    Args:
        server: The PostgreSQL.
        workload: The payload.
        writers: Numbers of tasks that append.
        events: How many events the log has that is replayed.
        rounds: How often each case is measured.
        seconds: How long each time.
        progress: Told what is being done.
    """
    found = ScaleOut()
    with ExitStack() as stack:
        one = stack.enter_context(EmbeddedServer.start())
        three = stack.enter_context(nats_cluster(3))
        found.servers = {"nats-server": one.program.version, "sync_interval": "always", "replicas": "1 and 3"}
        for scenario, count in (*(("append-1", count) for count in writers), ("replay", 1)):
            schema = server.new_schema("out")
            stores = [
                f"{BASE}={server.url.replace('postgresql://', 'postgresql+asyncpg://')}?schema={schema}",
                f"JetStream, 1 node={one.url}/{scenario}-{count}",
                # Past the links that tests cut: they are Python, and would be what is measured.
                f"JetStream, 3 nodes={three.direct_url}/{scenario}-{count}",
            ]
            cases = [
                cases_of(scenario, target_of(text, is_async=True), workload, writers=count, events=events)
                for text in stores
            ]
            series = run_rounds(cases, rounds=rounds, seconds=seconds, progress=progress, settle=server.settle)
            name = scenario if scenario == "replay" else f"{scenario}, {count} writers"
            found.groups[name] = {"cases": [it.as_json() for it in series.values()], "baseline": cases[0].name}
            found.tables[name] = report.series_table(series, cases[0].name)
            if scenario == "replay":
                found.sizes = {
                    BASE: _relations(server, schema) / events,
                    "JetStream, 1 node": _messages(one, f"MINK_{scenario}-{count}") / events,
                    "JetStream, each of 3 nodes": _messages(three.nodes[0], f"MINK_{scenario}-{count}") / events,
                }
    return found


def _relations(server: Server, schema: str) -> float:
    """Bytes of a schema's tables and their indexes."""
    statement = (
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c "
        "WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r'"
    )
    return float(server.run(statement, schema)[0][0])


def _messages(node: EmbeddedServer, stream: str) -> float:
    """Bytes of a stream's messages, as its file holds them."""
    found = [
        detail["state"]["bytes"]
        for account in node.monitor("/jsz?streams=true")["account_details"]
        for detail in account["stream_detail"]
        if detail["name"] == stream
    ]
    return float(found[0])
