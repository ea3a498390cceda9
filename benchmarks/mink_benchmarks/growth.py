"""Appends and reads while the log grows to many times its size."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from mink_benchmarks.appends import Appends
from mink_benchmarks.reads import Reads
from mink_benchmarks.targets import target_of
from mink_benchmarks.workload import EVENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload

_BLOCK = 200_000
_STREAM = 100

# Rows as old streams have them; the fence's trigger runs once a block.
_FILL = """\
WITH names AS (
    SELECT 'log-' || (%(first)s + n) AS name FROM generate_series(0, %(streams)s - 1) AS n
), made AS (
    INSERT INTO "{schema}".streams (stream_id, category, version)
    SELECT name, 'log', %(size)s FROM names RETURNING stream_id
)
INSERT INTO "{schema}".events (stream_id, version, event_type, data, metadata)
SELECT m.stream_id, v, %(type)s, %(data)s::jsonb, %(metadata)s::jsonb
FROM made AS m CROSS JOIN generate_series(1, %(size)s) AS v
"""


def measure_growth(
    server: Server,
    workload: Workload,
    events: int,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure at a thirtieth, a tenth, a third and all of `events`."""
    import json  # noqa: PLC0415 -- beside its one use

    import psycopg  # noqa: PLC0415 -- the extra

    schema = server.new_schema("growth")
    url = server.url.replace("postgresql://", "postgresql+asyncpg://")
    target = target_of(f"{url}?schema={schema}", is_async=True)
    appends = Appends("appends", target, workload, 64)
    reads = Reads("reads", target, workload, events=_STREAM * 20, how="stream")
    reads.open()
    appends.open()
    arguments = {
        "streams": _BLOCK // _STREAM,
        "size": _STREAM,
        "type": EVENT_TYPE,
        "data": json.dumps(workload.data),
        "metadata": json.dumps(workload.metadata),
    }
    steps: list[dict[str, Any]] = []
    filled = 0
    statement: Any = _FILL.replace("{schema}", schema)
    try:
        for wanted in (events // 30, events // 10, events // 3, events):
            with psycopg.connect(server.url, autocommit=True) as connection:
                while filled < wanted:
                    progress(f"filling: {filled:,} of {events:,} events")
                    first = 1000 + filled // _STREAM
                    connection.execute(statement, {**arguments, "first": first})
                    filled += _BLOCK
            server.settle()
            progress(f"measuring at {filled:,} events")
            written = [appends.measure(seconds).rate for _ in range(rounds)]
            read = [reads.measure(seconds / 2).rate for _ in range(rounds)]
            steps.append(
                {
                    "events": filled,
                    "appends": statistics.median(written),
                    "reads": statistics.median(read),
                    "append_rates": written,
                    "read_rates": read,
                }
            )
    finally:
        appends.close()
        reads.close()
    return steps
