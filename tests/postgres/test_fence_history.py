"""A random history of 16 writers, read by four mechanisms at once, checked afterwards (FEED-01, 02, 06)."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg

from mink_core import ExpectedVersion, NewEvent, StreamAppend
from mink_postgres import PostgresEventStore
from tests.postgres.readers import AGE_XMIN, ONE_STATEMENT, PLAIN, SqlReader, StoreReader

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = float(os.environ.get("MINK_FENCE_SECONDS", "12"))
WRITERS = 16
KINDS = ("function", "batch", "statements", "early id", "held open", "rolled back", "raw insert", "copy")
TWINS = {"plain": PLAIN, "age(xmin)": AGE_XMIN, "one statement": ONE_STATEMENT}


class RandomWriter(threading.Thread):
    """Appends in every way there is, and keeps a ledger of the positions whose commit returned."""

    def __init__(self, number: int, url: str, schema: str, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}")
        self.number, self.url, self.schema, self.stop = number, url, schema, stop
        self.random = random.Random(number)
        self.ledger: list[int] = []
        self.did: Counter[str] = Counter()
        self.raw_versions: Counter[str] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with psycopg.connect(self.url) as connection:
                store = PostgresEventStore(connection=connection, schema=self.schema)
                while not self.stop.is_set():
                    kind = self.random.choice(KINDS)
                    positions = self.step(kind, store, connection)
                    if kind == "rolled back":
                        connection.rollback()
                    else:
                        if kind == "held open":
                            time.sleep(self.random.uniform(0.005, 0.05))
                        connection.commit()
                        self.ledger.extend(positions)
                    self.did[kind] += 1
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.error = error

    def step(self, kind: str, store: PostgresEventStore, connection: psycopg.Connection[Any]) -> list[int]:
        events = [NewEvent("Made", {"by": self.number}) for _ in range(self.random.randint(1, 3))]
        if kind == "batch":
            streams = self.random.sample(range(40), 2)
            items = [StreamAppend(f"shared-{n}", [NewEvent("Made", {})], ExpectedVersion.ANY) for n in streams]
            return [result.first_position for result in store.append_batch(items)]
        if kind == "statements":
            return self.raw(connection, 1)
        if kind == "raw insert":
            return self.raw(connection, self.random.randint(1, 3))
        if kind == "copy":
            return self.copy(connection)
        if kind == "early id":
            # A write elsewhere first: the transaction's id is old, its positions are new.
            connection.execute(f'INSERT INTO "{self.schema}".elsewhere VALUES (%s)', (self.number,))
            time.sleep(self.random.uniform(0, 0.01))
        result = store.append(f"shared-{self.random.randrange(40)}", events, expected_version=ExpectedVersion.ANY)
        stored = connection.execute(
            f'SELECT global_position FROM "{self.schema}".events WHERE stream_id = %s AND version BETWEEN %s AND %s',
            (result.stream_id, result.first_version, result.last_version),
        )
        return [row[0] for row in stored]

    def next_raw(self) -> tuple[str, int]:
        stream = f"raw-{self.number}"
        self.raw_versions[stream] += 1
        return stream, self.raw_versions[stream]

    def raw(self, connection: psycopg.Connection[Any], count: int) -> list[int]:
        positions = []
        for _ in range(count):
            cursor = connection.execute(
                f'INSERT INTO "{self.schema}".events (stream_id, version, event_type, data) '
                "VALUES (%s, %s, 'Raw', '{}') RETURNING global_position",
                self.next_raw(),
            )
            positions.append(cursor.fetchone()[0])
        return positions

    def copy(self, connection: psycopg.Connection[Any]) -> list[int]:
        rows = [self.next_raw() for _ in range(self.random.randint(1, 5))]
        with connection.cursor() as cursor:
            with cursor.copy(f'COPY "{self.schema}".events (stream_id, version, event_type, data) FROM STDIN') as copy:
                for stream, version in rows:
                    copy.write_row((stream, version, "Copied", "{}"))
            cursor.execute(
                f'SELECT global_position FROM "{self.schema}".events WHERE stream_id = %s AND version >= %s',
                rows[0],
            )
            return [row[0] for row in cursor.fetchall()]


class Follower(threading.Thread):
    """Polls as fast as it can until told to stop, then to the end."""

    def __init__(self, reader: Any, stop: threading.Event) -> None:
        super().__init__()
        self.reader, self.stop = reader, stop
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                if not self.reader.poll():
                    time.sleep(0.001)
            while self.reader.poll():
                pass
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.error = error


def enough(writers: list[RandomWriter], followers: dict[str, Follower]) -> bool:
    """Whether a busy machine came to the schedules that are looked for: each way to append, each twin's fault."""
    ledger = [position for writer in writers for position in list(writer.ledger)]
    done = sum((writer.did for writer in writers), Counter[str]())

    def misses(name: str) -> bool:
        seen = list(followers[name].reader.seen)
        return bool(seen) and any(position < seen[-1] for position in set(ledger) - set(seen))

    return set(done) == set(KINDS) and len(ledger) > 600 and all(misses(name) for name in followers if name in TWINS)


def play(seconds: float, url: str, schema: str, readers: dict[str, Callable[[], Any]]) -> dict[str, list[int]]:
    """Let the writers run, and return the ledger and what each reader saw."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f'CREATE TABLE "{schema}".elsewhere (x int)')
    writing, reading = threading.Event(), threading.Event()
    writers = [RandomWriter(number, url, schema, writing) for number in range(WRITERS)]
    followers = {name: Follower(make(), reading) for name, make in readers.items()}
    for thread in [*writers, *followers.values()]:
        thread.start()
    time.sleep(seconds)
    end = time.monotonic() + 60
    while not enough(writers, followers) and time.monotonic() < end:
        time.sleep(0.5)
    writing.set()
    for writer in writers:
        writer.join(120)
    reading.set()
    for follower in followers.values():
        follower.join(120)
        follower.reader.close()
    errors = [thread.error for thread in [*writers, *followers.values()] if thread.error is not None]
    assert not errors, errors
    done: Counter[str] = Counter()
    for writer in writers:
        done += writer.did
    assert set(done) == set(KINDS), done
    seen = {name: follower.reader.seen for name, follower in followers.items()}
    return {"ledger": sorted(position for writer in writers for position in writer.ledger), **seen}


def test_three_readers_miss_nothing_where_other_mechanisms_do(
    postgres_url: str, schema: str, store: PostgresEventStore, record_property: Callable[[str, object], None]
) -> None:
    def own() -> StoreReader:
        return StoreReader(PostgresEventStore(postgres_url, schema=schema, min_size=1))

    readers: dict[str, Any] = {"store 1": own, "store 2": own, "store 3": own}
    for name, statement in TWINS.items():
        readers[name] = lambda statement=statement: SqlReader(postgres_url, schema, statement)
    history = play(SECONDS, postgres_url, schema, readers)
    ledger = history.pop("ledger")
    assert len(ledger) == len(set(ledger)) > 500
    missed = {name: len(set(ledger) - set(seen)) for name, seen in history.items()}
    for name in ("store 1", "store 2", "store 3"):
        seen = history[name]
        assert missed[name] == 0
        assert seen == sorted(set(seen)), f"{name} repeated or reordered"
        assert set(seen) == set(ledger), f"{name} saw what nobody committed"
    print(f"\n{len(ledger)} events committed; missed: {missed}")
    record_property("missed", missed)
    # The twins, on the same history: a test that they pass would prove nothing.
    assert missed["plain"] > 0
    assert missed["age(xmin)"] > 0
    if SECONDS >= 20:
        # One statement loses about one event in a hundred here; a short run may be lucky.
        assert missed["one statement"] > 0
    # Versions and positions agree within every stream that the store wrote.
    last: dict[str, int] = {}
    for event in store.read_all():
        if event.stream_id.startswith("shared-"):
            assert event.version == last.get(event.stream_id, 0) + 1
            last[event.stream_id] = event.version
