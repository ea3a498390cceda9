"""PostgreSQL beside JetStream, on one node and on three, in interleaved rounds of one run."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_benchmarks import report
from mink_benchmarks.samples import run_rounds
from mink_benchmarks.scenarios import DESCRIPTIONS, cases_of
from mink_benchmarks.spread import Spread
from mink_benchmarks.targets import Target, target_of
from mink_benchmarks.workload import Workload
from mink_jetstream.server import EmbeddedServer, nats_cluster

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from mink_benchmarks.server import Server

BASE = "PostgreSQL"
PARTS = 3
"""Stores that share the streams among them, so that each node may lead one."""


def measure_scale_out(
    server: Server, options: Namespace, progress: Callable[[str], None]
) -> tuple[str, dict[str, Any]]:
    """Measure `append-1` and `replay` by the async door.

    Args:
        server: The PostgreSQL.
        options: `writers` (numbers of tasks that append), `events` (in the log that is replayed), `rounds`
            and `seconds`.
        progress: Told what is being done.

    Returns:
        Tables for people, and what is kept of it.
    """
    workload, events = Workload(), options.events
    groups: dict[str, Any] = {}
    sizes: dict[str, float] = {}
    said: list[str] = []
    with ExitStack() as stack:
        one = stack.enter_context(EmbeddedServer.start())
        three = stack.enter_context(nats_cluster(3))
        servers = {"nats-server": one.program.version, "sync_interval": "always", "replicas": "1 and 3"}
        for scenario, count in (*(("append-1", count) for count in options.writers or [1, 64]), ("replay", 1)):
            schema = server.new_schema("out")
            stores = [
                f"{BASE}={server.url.replace('postgresql://', 'postgresql+asyncpg://')}?schema={schema}",
                f"JetStream, 1 node={one.url}/{scenario}-{count}",
                # Past the links that tests cut: they are Python, and would be what is measured.
                f"JetStream, 3 nodes={three.direct_url}/{scenario}-{count}",
            ]
            targets = [target_of(text, is_async=True) for text in stores]
            if scenario == "append-1":
                urls = [f"{three.direct_url}/{scenario}-{count}-{part}" for part in range(PARTS)]
                targets.append(
                    Target(f"JetStream, 3 nodes, {PARTS} stores async", partial(Spread, urls), is_async=True)
                )
            cases = [cases_of(scenario, it, workload, writers=count, events=events) for it in targets]
            series = run_rounds(
                cases, rounds=options.rounds, seconds=options.seconds, progress=progress, settle=server.settle
            )
            name = scenario if scenario == "replay" else f"{scenario}, {count} writers"
            groups[name] = {"cases": [it.as_json() for it in series.values()], "baseline": cases[0].name}
            said.append(f"\n{name}: {DESCRIPTIONS[scenario]}; ratios to {BASE}")
            said.append(report.series_table(series, cases[0].name))
            if scenario == "replay":
                log = f"MINK_{scenario}-{count}"
                sizes = {
                    BASE: _relations(server, schema) / events,
                    "JetStream, 1 node": _messages(one, log) / events,
                    "JetStream, each of 3 nodes": _messages(three.nodes[0], log) / events,
                }
        environment = report.environment(server.describe() | servers)
    rows = [[name, f"{size:,.0f}"] for name, size in sizes.items()]
    said.append("\n" + report.table(["the log that was replayed", "bytes an event"], rows))
    return "\n".join(said), {"environment": environment, "groups": groups, "bytes": sizes}


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
