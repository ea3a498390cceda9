"""What partitions cost: one table, partitions by a hash of the stream, and ranges of positions, side by side.

    python -m mink_benchmarks.partitioned --events 1000000 --json partitioned.json
    python -m mink_benchmarks.partitioned --blocks      how many blocks a read looks at: no clock, so no noise

Mink offers no ranges (docs/decisions/0066); they are made here by hand, to show what they would cost.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from mink_benchmarks import report
from mink_benchmarks.grown import Grown, GrownCase
from mink_benchmarks.samples import run_rounds, spread
from mink_benchmarks.server import Server, benchmark_server
from mink_benchmarks.workload import Workload
from mink_core.registry import open_store
from mink_postgres.statements import Statements

if TYPE_CHECKING:
    from mink_benchmarks.samples import Series

_RANGES = """
CREATE TABLE {schema}.ranged (LIKE {schema}.events INCLUDING DEFAULTS) PARTITION BY RANGE (global_position);
ALTER TABLE {schema}.ranged ADD PRIMARY KEY (global_position);
CREATE INDEX ON {schema}.ranged (event_type);
CREATE INDEX ON {schema}.ranged (timestamp);
ALTER SEQUENCE {schema}.events_global_position_seq OWNED BY {schema}.ranged.global_position;
DROP TABLE {schema}.events;
ALTER TABLE {schema}.ranged RENAME TO events;
DO $$ BEGIN
    FOR part IN 0 .. {count} - 1 LOOP
        EXECUTE format(
            'CREATE TABLE {schema}.events_r%s PARTITION OF {schema}.events FOR VALUES FROM (%s) TO (%s)', part,
            part * {size}::bigint + 1, (part + 1) * {size}::bigint + 1
        );
        -- No key over all partitions can hold (stream_id, version): each partition keeps its own.
        EXECUTE format('ALTER TABLE {schema}.events_r%s ADD UNIQUE (stream_id, version)', part);
    END LOOP;
END $$;
CREATE TABLE {schema}.events_rest PARTITION OF {schema}.events DEFAULT;
ALTER TABLE {schema}.events_rest ADD UNIQUE (stream_id, version);
CREATE TRIGGER events_guard_positions BEFORE INSERT ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_positions();
"""


def make(server: Server, layout: str, events: int) -> str:
    """An empty store, laid out as said: `one table`, `hash N` or `range N`. Returns its schema."""
    kind, _, count = layout.partition(" ")
    schema = server.new_schema(kind)
    options: dict[str, Any] = {"hash_partitions": int(count)} if kind == "hash" else {}
    with open_store(f"{server.url}?schema={schema}&min_size=1", **options) as store:
        store.initialize()
    if kind == "range":
        statement = _RANGES.replace("{schema}", f'"{schema}"').replace("{count}", count)
        server.run(statement.replace("{size}", str(events // int(count))))
    return schema


_SMALL = 30_000
_FILL = """
INSERT INTO {schema}.streams (stream_id, category, version)
SELECT 'order-' || md5(n::text), 'order', 100 FROM generate_series(1, 300) AS n;
INSERT INTO {schema}.events (stream_id, version, event_type, data)
SELECT 'order-' || md5(n::text), v, 'Type-' || (v % 20), '{"note": "leave the parcel at the door, please ring twice"}'
FROM generate_series(1, 100) AS v, generate_series(1, 300) AS n ORDER BY v, n;
"""


def blocks(server: Server, schema: str) -> dict[str, int]:
    """Fill a small log of 300 streams, and count the blocks that reads look at."""
    quoted = f'"{schema}"'
    server.run(_FILL.replace("{schema}", quoted))
    server.settle()
    sql = Statements(schema)
    stream = "order-" + hashlib.md5(b"7", usedforsecurity=False).hexdigest()
    reads = {
        "stream of 100": (sql.read_stream_forward, (stream, 0, 1000)),
        "its last event": (sql.read_stream_forward, (stream, 99, 1000)),
        "page of 1,000": (sql.read_feed("", backward=False), (_SMALL // 2, _SMALL, 1000)),
        "head": (sql.head_position, (_SMALL,)),
    }
    found: dict[str, int] = {}
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name, (text, arguments) in reads.items():
            cursor = psycopg.RawCursor(connection)
            explain: Any = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}"
            cursor.execute(explain, arguments)
            cursor.execute(explain, arguments)  # the catalog is cached by now
            row: Any = cursor.fetchone()
            plan = row[0][0]["Plan"]
            found[name] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return found


def main() -> int:
    """Measure, and print the ratios to one table."""
    parser = argparse.ArgumentParser(prog="python -m mink_benchmarks.partitioned", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--layouts", nargs="+", default=["one table", "hash 16", "hash 64", "range 16", "range 64"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--server", help="a PostgreSQL URL; one is started else")
    parser.add_argument("--blocks", action="store_true", help="only count blocks, on small logs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    if options.blocks:
        with benchmark_server(options.server) as server:
            counted = {layout: blocks(server, make(server, layout, _SMALL)) for layout in options.layouts}
        names = list(counted[options.layouts[0]])
        rows = [[name, *(str(counted[layout][name]) for layout in options.layouts)] for name in names]
        print(report.table(["blocks looked at", *options.layouts], rows))
        return 0
    workload = Workload()
    measured: dict[str, dict[str, Series]] = {}
    with benchmark_server(options.server) as server:
        logs = {layout: Grown(server, workload, make(server, layout, options.events)) for layout in options.layouts}
        for grown in logs.values():
            grown.fill(options.events, 1e9, say)
        server.settle()
        for how in ("appends", "streams", "replay"):
            cases = [GrownCase(layout, grown, workload, how, options.events) for layout, grown in logs.items()]
            measured[how] = run_rounds(
                cases, rounds=options.rounds, seconds=options.seconds, progress=say, settle=lambda: None
            )
        environment = report.environment(server.describe())
    base = options.layouts[0]
    for how, found in measured.items():
        print(f"\n{how}")
        print(report.series_table(found, base))
    if options.json:
        figures = {
            how: {
                layout: {"rate": spread(series.rates), "ratio": spread(series.ratios(found[base]))}
                for layout, series in found.items()
            }
            for how, found in measured.items()
        }
        report.write_json(options.json, {"environment": environment, "partitioned": figures})
    return 0


if __name__ == "__main__":
    sys.exit(main())
