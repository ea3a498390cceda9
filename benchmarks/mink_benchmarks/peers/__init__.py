"""Other event stores as baselines, through their own public API at their best settings.

`eventsourcing` and UmaDB come with the extra `peers`; message-db's SQL is fetched by npm when it is measured; the
naive store is here. One that is not there is left out, and the report says so.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from mink_benchmarks.samples import BenchmarkError

if TYPE_CHECKING:
    from mink_benchmarks.samples import Case
    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

PEERS = {
    "naive": ("append-1", "append-10", "read-stream", "replay"),
    "message-db": ("append-1", "append-10", "read-stream"),
    "eventsourcing": ("append-1", "append-10", "read-stream", "subscribe-latency"),
    "umadb": ("append-1", "append-10"),
}
"""By name, with the scenarios that each is measured in."""

_MODULES = {
    "naive": "naive",
    "message-db": "message_db",
    "eventsourcing": "eventsourcing_recorder",
    "umadb": "umadb_server",
}
_EXTRA = ("eventsourcing", "umadb")


def peer_case(peer: str, scenario: str, server: Server, workload: Workload, writers: int, events: int) -> Case:
    """The case of a scenario by a peer: each module here has a `case` for its scenarios.

    Args:
        peer: One of `PEERS`.
        scenario: One of its scenarios.
        server: Where those on PostgreSQL work.
        workload: The payload.
        writers: How many threads append.
        events: How many events the log has that is read.

    Raises:
        BenchmarkError: It is not installed; says how to get it.
    """
    if peer in _EXTRA and importlib.util.find_spec(peer) is None:
        msg = f"{peer} is not installed: pip install 'mink-eventstore[peers]'"
        raise BenchmarkError(msg)
    module = importlib.import_module(f"{__name__}.{_MODULES[peer]}")
    case: Case = module.case(scenario, server, workload, writers, events)
    return case
