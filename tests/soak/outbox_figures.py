"""What the outbox costs: `python -m tests.soak.outbox_figures`. Prints a JSON line a question, interleaved rounds each.

append: an append with one message against one without; grouped: the same with 64 callers at once. done: claiming and acknowledging beside a million done
messages against an empty table. stuck: beside streams that are held up by a failing message. failing: other streams'
pace while some streams' messages fail at every third attempt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import CallablePublisher, ExpectedVersion, NewEvent, OutboxMessage, OutboxRelay, Verdict
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.server import postgres_for_tests

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = {"order": "o-1", "lines": [{"sku": "s" * 20, "n": n, "price": 1.5} for n in range(4)], "note": "n" * 60}
DONE = """
INSERT INTO "{schema}".outbox (message_id, destination, payload, headers, ordered, status, attempts, max_attempts,
    due_at, token, claimed_by, created_at, finished_at)
SELECT gen_random_uuid(), 't', '{"n": 1, "text": "some payload of a usual size, a hundred characters or so"}', '{}',
    false, 'done', 1, 10, now(), 1, 'w', now(), now() - make_interval(secs => n / 100.0)
FROM generate_series(1, %s) AS n
"""


def ratio(base: Callable[[], float], other: Callable[[], float], rounds: int) -> dict[str, Any]:
    """Rates of two ways, measured in turns; `ratio` is other / base, round by round."""
    base(), other()
    return summed([(base(), other()) for _ in range(rounds)])


def summed(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """The medians, and the spread of the ratios."""
    ratios = sorted(b / a for a, b in pairs)
    return {
        "base": round(statistics.median(a for a, _ in pairs), 1),
        "other": round(statistics.median(b for _, b in pairs), 1),
        "ratio": {
            "min": round(ratios[0], 3),
            "median": round(statistics.median(ratios), 3),
            "max": round(ratios[-1], 3),
            # On a busy machine the best rounds are those that were disturbed least.
            "of_best": round(max(b for _, b in pairs) / max(a for a, _ in pairs), 3),
        },
    }


def append_figures(store: PostgresEventStore, rounds: int) -> dict[str, Any]:
    """One caller; call by call in turns, so that both ways meet the same disturbance. Milliseconds a call."""
    took: dict[int, list[float]] = {0: [], 1: []}
    for number in range(rounds * 200):
        for messages, times in took.items():
            outbox = [OutboxMessage("orders", DATA) for _ in range(messages)]
            event = NewEvent("Made", DATA)
            started = time.perf_counter()
            store.append(f"s-{number % 500}", [event], expected_version=ExpectedVersion.ANY, outbox=outbox)
            times.append((time.perf_counter() - started) * 1000)
    without, with_one = (statistics.quantiles(times[100:], n=10) for times in took.values())
    return {
        "without": {"p10": round(without[0], 3), "median": round(without[4], 3)},
        "with": {"p10": round(with_one[0], 3), "median": round(with_one[4], 3)},
        "cost": {"p10": round(with_one[0] / without[0], 3), "median": round(with_one[4] / without[4], 3)},
    }


def bare_outbox(url: str, schema: str) -> None:
    """Leave of the outbox a table with a primary key, and of storing a message the INSERT: the least it can cost."""
    with psycopg.connect(url, autocommit=True) as connection:
        for index in ("message_id", "due", "order", "finished", "dead"):
            connection.execute(f'DROP INDEX "{schema}".idx_outbox_{index}')  # type: ignore[arg-type]
        connection.execute(f'ALTER TABLE "{schema}".outbox DROP CONSTRAINT outbox_status_check')  # type: ignore[arg-type]
        row = connection.execute(
            "SELECT pg_get_functiondef(%s::regproc)", (f'"{schema}".append_group_with_outbox',)
        ).fetchone()
        assert row is not None
        look, rest = row[0].index("    IF EXISTS"), row[0].index("    FOR outcome")
        connection.execute(row[0][:look] + row[0][rest:])


def grouped_figures(url: str, schema: str, bare: str, rounds: int) -> dict[str, Any]:
    """64 asyncio callers, whose appends share commits: without a message, with one, and with one at its least."""
    bare_outbox(url, bare)

    async def measured() -> list[tuple[float, float, float]]:
        async with (
            AsyncPostgresEventStore(url, driver="asyncpg", schema=schema) as store,
            AsyncPostgresEventStore(url, driver="asyncpg", schema=bare) as least,
        ):
            count = 0

            async def caller(store: AsyncPostgresEventStore, number: int, messages: int, until: float) -> None:
                nonlocal count
                while time.perf_counter() < until:
                    outbox = [OutboxMessage("orders", DATA) for _ in range(messages)]
                    event = NewEvent("Made", DATA)
                    await store.append(f"g-{number}", [event], expected_version=ExpectedVersion.ANY, outbox=outbox)
                    count += 1

            async def rate(store: AsyncPostgresEventStore, messages: int) -> float:
                nonlocal count
                count, started = 0, time.perf_counter()
                await asyncio.gather(*(caller(store, number, messages, started + 0.5) for number in range(64)))
                return count / (time.perf_counter() - started)

            return [(await rate(store, 0), await rate(store, 1), await rate(least, 1)) for _ in range(rounds + 1)][1:]

    found = asyncio.run(measured())
    figures = summed([(without, one) for without, one, _ in found])
    floor = summed([(without, one) for without, _, one in found])
    return {
        **figures,
        "cost": round(1 / figures["ratio"]["median"], 3),
        "bare_insert": {"other": floor["other"], "cost": round(1 / floor["ratio"]["median"], 3)},
    }


def drain(store: PostgresEventStore, count: int = 2000, streams: int = 0) -> float:
    """Messages a second through claim and acknowledgement, 100 at a time."""
    fields = [{"stream_id": f"s-{n % streams}", "ordered": True} if streams else {} for n in range(count)]
    store.outbox.add([OutboxMessage("t", DATA, **one) for one in fields])
    started, done = time.perf_counter(), 0
    while done < count:
        claimed = store.outbox.claim("w", limit=100)
        refused = store.outbox.settle([Verdict(message) for message in claimed])
        done += len(claimed) - len(refused)
    return count / (time.perf_counter() - started)


def plan(url: str, schema: str) -> list[str]:
    """How a claim finds fresh messages beside the done ones."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(
            f'PREPARE pick (timestamptz, bigint[], integer) AS SELECT x.position FROM "{schema}".outbox AS x '  # type: ignore[arg-type]
            "WHERE x.status = 'pending' AND x.due_at <= $1 AND x.position <> ALL ($2) "
            "ORDER BY x.due_at, x.position LIMIT $3 FOR UPDATE SKIP LOCKED"
        )
        rows = connection.execute("EXPLAIN (ANALYZE, BUFFERS) EXECUTE pick (now(), '{}', 100)").fetchall()
        return [row[0] for row in rows]


def done_figures(
    url: str, empty: PostgresEventStore, full: PostgresEventStore, schema: str, rows: int, rounds: int
) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DONE.replace("{schema}", schema), (rows,))  # type: ignore[arg-type]
        connection.execute(f'VACUUM ANALYZE "{schema}".outbox')  # type: ignore[arg-type]
    figures = ratio(lambda: drain(empty), lambda: drain(full), rounds)
    full.outbox.add([OutboxMessage("t", n) for n in range(1000)])
    return {"done_rows": rows, **figures, "plan": plan(url, schema)}


def stuck_figures(empty: PostgresEventStore, held: PostgresEventStore, backlog: int, rounds: int) -> dict[str, Any]:
    """Ten streams wait behind a message that fails and fails; two hundred others go on."""
    for start in range(0, backlog, 5000):
        held.outbox.add(
            [OutboxMessage("t", 0, stream_id=f"stuck-{n % 10}", ordered=True) for n in range(start, start + 5000)]
        )
    for message in held.outbox.claim("w", limit=10):
        held.outbox.fail(message, "down", retry_in=86_400)
    return {"backlog": backlog, **ratio(lambda: drain(empty, streams=200), lambda: drain(held, streams=200), rounds)}


def failing_figures(plain: PostgresEventStore, failing: PostgresEventStore, rounds: int) -> dict[str, Any]:
    """A relay's pace for the other streams while every third attempt of some streams fails; order is checked."""
    out_of_order = 0

    def rate(store: PostgresEventStore, *, fails: bool) -> float:
        nonlocal out_of_order
        count, streams = 3000, 100
        sent: dict[str, list[int]] = {}
        attempts = 0

        def send(message: Any) -> None:
            nonlocal attempts
            if fails and message.stream_id.startswith("bad"):
                attempts += 1
                if attempts % 3 == 0:
                    raise RuntimeError
            if message.stream_id.startswith("good"):
                sent.setdefault(message.stream_id, []).append(message.payload)

        # What an earlier round has left waiting fails on in this one.
        store.outbox.add([OutboxMessage("t", n, stream_id=f"bad-{n % 20}", ordered=True) for n in range(200)])
        store.outbox.add([OutboxMessage("t", n, stream_id=f"good-{n % streams}", ordered=True) for n in range(count)])
        relay = OutboxRelay(store, CallablePublisher(send), worker="w")
        started, good = time.perf_counter(), 0
        while good < count:
            relay.run_once()
            good = sum(map(len, sent.values()))
        seconds = time.perf_counter() - started
        out_of_order += sum(numbers != sorted(numbers) for numbers in sent.values())
        return count / seconds

    figures = ratio(lambda: rate(plain, fails=False), lambda: rate(failing, fails=True), rounds)
    return {**figures, "streams_out_of_order": out_of_order}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--backlog", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=["append", "grouped", "done", "stuck", "failing"])
    given = parser.parse_args()
    with ExitStack() as stack:
        url = stack.enter_context(postgres_for_tests())

        def opened(schema: str) -> PostgresEventStore:
            store = stack.enter_context(PostgresEventStore(url, schema=schema, min_size=1))
            store.initialize()
            stack.callback(drop, schema)
            return store

        def drop(schema: str) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')  # type: ignore[arg-type]

        questions: dict[str, Callable[[], dict[str, Any]]] = {
            "append": lambda: append_figures(opened("figures_a"), given.rounds),
            "grouped": lambda: grouped_figures(
                url, opened("figures_h")._options.schema, opened("figures_i")._options.schema, given.rounds
            ),
            "done": lambda: done_figures(
                url, opened("figures_b"), opened("figures_c"), "figures_c", given.rows, given.rounds
            ),
            "stuck": lambda: stuck_figures(opened("figures_d"), opened("figures_e"), given.backlog, given.rounds),
            "failing": lambda: failing_figures(opened("figures_f"), opened("figures_g"), given.rounds),
        }
        for name, ask in questions.items():
            if given.only in (None, name):
                print(json.dumps({"question": name, **ask()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
