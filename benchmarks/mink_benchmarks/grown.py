"""A log of many millions of events, filled quickly, and the cases that are measured on it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import statistics
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from mink_benchmarks.samples import Sample
from mink_benchmarks.targets import OpenStore, target_of
from mink_benchmarks.workload import EVENT_TYPE
from mink_core import EventFilter
from mink_core.limits import category_of
from mink_postgres.conditions import conditions
from mink_postgres.statements import Statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mink_benchmarks.server import Server
    from mink_benchmarks.workload import Workload
    from mink_core import StoredEvent

STREAM = 100
"""Events of a stream."""
_OPEN = 10_000
"""Streams that grow at the same time: a stream's events lie as many rows apart, as those of a real log do."""
_SWEEPS = 10
"""Events of each of them that one statement adds."""
PIECE = 20_000
"""Events of a replay from a random position on."""
BLOCK = _OPEN * _SWEEPS
"""Events that one statement adds."""
RARE = "refund"
"""The category of one stream in `_RARE`; all others are orders."""
_RARE = 100
GENERATION = _OPEN * STREAM
"""Events after which all streams are whole: between two generations the log can be measured."""

# Names without order, so that index entries go anywhere. The fence's trigger runs once a statement.
_FILL = """\
WITH names AS (
    SELECT n, category, category || '-' || md5(n::text)::uuid AS name
    FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(open)s - 1) AS n,
        LATERAL (SELECT CASE n %% %(rare)s WHEN 0 THEN 'refund' ELSE 'order' END AS category) AS c
), made AS (
    INSERT INTO "{schema}".streams (stream_id, category, version)
    SELECT name, category, %(after)s + %(sweeps)s FROM names
    ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version
)
INSERT INTO "{schema}".events (stream_id, version, event_type, data, metadata)
SELECT x.name, v, %(type)s || (v %% 20), %(data)s::jsonb, %(metadata)s::jsonb
FROM names AS x CROSS JOIN generate_series(%(after)s + 1, %(after)s + %(sweeps)s) AS v
ORDER BY v, x.n
"""


def name_of(stream: int) -> str:
    """The name that the fill gave a stream."""
    return f"{'order' if stream % _RARE else RARE}-{UUID(hashlib.md5(str(stream).encode(), usedforsecurity=False).hexdigest())}"


class Grown:
    """One schema with a log of `events`."""

    def __init__(self, server: Server, workload: Workload, schema: str) -> None:
        """Look at what is there already."""
        self.server = server
        self.schema = schema
        self.url = f"{server.url.replace('postgresql://', 'postgresql+asyncpg://')}?schema={schema}"
        self._workload = workload

    def exists(self) -> bool:
        """Whether there is a store at all."""
        rows = self.server.run("SELECT to_regclass(%s) IS NOT NULL", f'"{self.schema}".streams')
        return bool(rows[0][0])

    def events(self) -> int:
        """How many events the fill has made."""
        # Appends that are measured make no stream, so streams tell how far the fill is.
        rows = self.server.run(
            f'SELECT count(*) FROM "{self.schema}".streams'  # noqa: S608 -- our own name
        )
        streams = int(rows[0][0])
        if streams == 0:
            return 0
        whole = (streams - _OPEN) * STREAM  # all generations but the last
        last = self.server.run(
            f'SELECT version FROM "{self.schema}".streams WHERE stream_id = %s',  # noqa: S608 -- as above
            name_of(streams - _OPEN),
        )
        return whole + min(STREAM, int(last[0][0])) // _SWEEPS * BLOCK

    def fill(self, wanted: int, seconds: float, progress: Callable[[str], None]) -> int:
        """Fill up to `wanted` events, or as far as the seconds go; returns how many there are."""
        opened = OpenStore(target_of(self.url, is_async=True))
        opened.close()
        until = time.monotonic() + seconds
        have = self.events()
        text: Any = _FILL.replace("{schema}", self.schema)
        given = {
            "type": EVENT_TYPE,
            "data": json.dumps(self._workload.data),
            "metadata": json.dumps(self._workload.metadata),
            "open": _OPEN,
            "sweeps": _SWEEPS,
            "rare": _RARE,
        }
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            while have < wanted and time.monotonic() < until:
                generation, rest = divmod(have, GENERATION)
                connection.execute(text, {**given, "first": generation * _OPEN, "after": rest // _OPEN})
                have += BLOCK
                progress(f"{self.schema}: {have:,} of {wanted:,} events")
        return have

    def vacuum(self) -> float:
        """Seconds of a VACUUM ANALYZE."""
        began = time.perf_counter()
        self.server.run(f'VACUUM (ANALYZE) "{self.schema}".events')
        took = time.perf_counter() - began
        self.server.run(f'VACUUM (ANALYZE) "{self.schema}".streams')
        return took

    def sizes(self) -> dict[str, int]:
        """Bytes of the table and of each index."""
        rows = self.server.run(
            "SELECT c.relname::text, pg_relation_size(c.oid) FROM pg_class AS c "
            "LEFT JOIN pg_index AS i ON i.indexrelid = c.oid "
            "WHERE c.oid = %(t)s::text::regclass OR i.indrelid = %(t)s::text::regclass".replace(
                "%(t)s", f"'\"{self.schema}\".events'"
            )
        )
        return {str(name): int(size) for name, size in rows}


_PLACES = 21


def blocks_of(grown: Grown, workload: Workload, events: int) -> dict[str, float]:
    """How many blocks each thing looks at, the median of some places: no clock, so no noise."""
    sql = Statements(grown.schema)
    pick = random.Random(7).randrange
    where, category = conditions(EventFilter(categories=(RARE,)))
    data, metadata = json.dumps(workload.data), json.dumps(workload.metadata)
    found: dict[str, list[int]] = {}
    with psycopg.connect(grown.server.url) as connection:
        for _ in range(_PLACES):
            stream, start = name_of(pick(events // STREAM)), pick(max(1, events - PIECE))
            event = (str(UUID(int=pick(1 << 120), version=4)), EVENT_TYPE, data, metadata)
            things: dict[str, tuple[str, tuple[Any, ...]]] = {
                "an append": (sql.append_one, (stream, category_of(stream), -1, *event)),
                "a stream of 100": (sql.read_stream_forward, (stream, 0, STREAM)),
                "its last event": (sql.read_stream_forward, (stream, STREAM - 1, 1)),
                "a page of 1,000": (sql.read_feed("", backward=False), (start, start + PIECE, 1000)),
                "a category's 100 of 10,000": (
                    sql.read_feed(where, backward=False),
                    (start, start + 10_000, 1000, *category),
                ),
            }
            for name, (text, arguments) in things.items():
                _explained(connection, text, arguments)
                plan = _explained(connection, text, arguments)  # the catalog is cached now
                found.setdefault(name, []).append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return {name: statistics.median(counts) for name, counts in found.items()}


def _explained(connection: psycopg.Connection[Any], text: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    explain: Any = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}"
    row: Any = psycopg.RawCursor(connection).execute(explain, arguments).fetchone()
    connection.rollback()
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


class GrownCase:
    """A case on a grown log: `appends` by 64 tasks, `streams` read whole, `replay` of pieces, or `category`; all at random places.

    `category` reads a rare category's events out of as long a piece; what it counts are the events that lie in the piece.
    """

    def __init__(self, name: str, grown: Grown, workload: Workload, how: str, events: int) -> None:
        """Take how much of the log is used."""
        self.name = name
        self._grown = grown
        self._workload = workload
        self._how = how
        self._streams = events // STREAM
        self._events = events
        self._random = random.Random(7)
        self._known: dict[str, int] = {}

    def open(self) -> None:
        """Open the store."""
        self._opened = OpenStore(target_of(self._grown.url, is_async=True))
        # What earlier measurements appended to; no other stream needs a look at its version.
        rows = self._grown.server.run(
            f'SELECT stream_id, version FROM "{self._grown.schema}".streams WHERE version > {STREAM}'  # noqa: S608 -- our own name
        )
        self._known = {str(name): int(version) for name, version in rows}

    def close(self) -> None:
        """Close it."""
        self._opened.close()

    def measure(self, seconds: float) -> Sample:
        """Work for so long."""
        work = {
            "appends": self._appends,
            "streams": self._read_streams,
            "replay": self._replay,
            "category": self._category,
        }[self._how]
        began = time.perf_counter()
        count, latencies = self._opened.run(work(began + seconds))
        return Sample(count, time.perf_counter() - began, latencies)

    async def _appends(self, until: float) -> tuple[int, list[float]]:
        latencies: list[float] = []
        append, events = self._opened.store.append, self._workload.events

        async def write(number: int) -> None:
            pick = random.Random(self._random.random()).randrange
            while (began := time.perf_counter()) < until:
                name = name_of(pick(self._streams // 64) * 64 + number)
                known = self._known.get(name, STREAM)
                self._known[name] = (await append(name, events(1), expected_version=known)).last_version
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(write(number) for number in range(64)))
        return len(latencies), latencies

    async def _passes(self, until: float, begin: Callable[[], AsyncIterator[StoredEvent]]) -> tuple[int, list[float]]:
        count, latencies = 0, list[float]()
        while (began := time.perf_counter()) < until:
            async for event in begin():
                _ = event.data
                count += 1
            latencies.append(time.perf_counter() - began)
        return count, latencies

    async def _read_streams(self, until: float) -> tuple[int, list[float]]:
        store = self._opened.store
        return await self._passes(until, lambda: store.read_stream(name_of(self._random.randrange(self._streams))))

    async def _replay(self, until: float) -> tuple[int, list[float]]:
        store = self._opened.store
        return await self._passes(until, lambda: store.read_all(after_position=self._somewhere(), limit=PIECE))

    def _somewhere(self) -> int:
        return self._random.randrange(max(1, self._events - PIECE))

    async def _category(self, until: float) -> tuple[int, list[float]]:
        count, latencies = 0, list[float]()
        where = EventFilter(categories=(RARE,))
        while (began := time.perf_counter()) < until:
            start = self._somewhere()
            events = self._opened.store.read_all(after_position=start, limit=PIECE // _RARE, where=where)
            last = start
            async for event in events:
                _ = event.data
                last = event.global_position
            count += last - start
            latencies.append(time.perf_counter() - began)
        return count, latencies
