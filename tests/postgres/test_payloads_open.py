"""Stores that are open while payloads become another type go on with the statements of the type before."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    SchemaError,
    StreamAppend,
)
from mink_postgres import AsyncPostgresEventStore
from tests.postgres.changing import WAYS, changed, filled, opened, types
from tests.postgres.grouped import always_grouped, record_groups
from tests.postgres.test_json_columns import LONG_FIRST, LONG_META
from tests.postgres.test_migrations import raw

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore

ANY = ExpectedVersion.ANY


def made(**other: Any) -> NewEvent:
    return NewEvent("Made", LONG_FIRST, LONG_META, event_id=uuid.uuid4(), **other)


class Use:
    """Every way to append, each with what it gave, and each asked once more."""

    def __init__(self, store: PostgresEventStore, prefix: str) -> None:
        self.store, self.prefix = store, prefix
        self.calls: list[tuple[str, list[NewEvent], int, list[OutboxMessage], Any]] = []

    def append(self, kind: str, count: int, after: int, messages: int = 0) -> None:
        events = [made() for _ in range(count)]
        sent = [OutboxMessage("b", LONG_FIRST, message_id=uuid.uuid4()) for _ in range(messages)]
        name = f"{self.prefix}-{kind}"
        result = self.store.append(name, events, expected_version=after, outbox=sent)
        self.calls.append((name, events, after, sent, result))

    def every_way(self) -> None:
        for kind, count, messages in (("one", 1, 0), ("more", 3, 0), ("told", 1, 1), ("more told", 2, 2)):
            for after in (0, count):
                self.append(kind, count, after, messages)
        batch = [StreamAppend(f"{self.prefix}-b{n}", [made()] * 1, ANY) for n in range(2)]
        self.store.append_batch(batch)
        with self.store.transaction() as tx:
            tx.append(f"{self.prefix}-tx", [made()], expected_version=0)
            tx.append(f"{self.prefix}-tx", [made(), made()], expected_version=1)
        self.append("deleted", 1, 0)
        self.store.privacy.soft_delete(f"{self.prefix}-deleted", by="test")
        self.append("deleted", 2, 0)
        self.calls = [call for call in self.calls if call[0] != f"{self.prefix}-deleted"]
        self.append("redacted", 2, 0)
        self.store.privacy.redact(f"{self.prefix}-redacted", 1, data={"gone": 1.0}, metadata={"by": "me"}, by="test")
        self.calls.pop()
        redacted = next(self.store.read_stream(f"{self.prefix}-redacted"))
        assert (redacted.data, redacted.metadata) == ({"gone": 1.0}, {"by": "me"})
        with pytest.raises(ConcurrencyError):
            self.store.append(f"{self.prefix}-one", [made()], expected_version=9)

    def ask_again(self) -> None:
        for name, events, after, sent, result in self.calls:
            assert self.store.append(name, events, expected_version=after, outbox=sent) == result
            first = events[0]
            other = NewEvent(first.event_type, {**LONG_FIRST, "b": 1}, LONG_META, event_id=first.event_id)
            with pytest.raises(DuplicateEventError):
                self.store.append(name, [other, *events[1:]], expected_version=after, outbox=sent)

    def read(self) -> None:
        found = [
            it
            for it in self.store.read_all(where=EventFilter(metadata={"n": 1}))
            if it.stream_id.startswith(self.prefix)
        ]
        assert len(found) == 2 * (1 + 3 + 1 + 2) + 2 + 3 + 3 + 1
        assert all((it.data, it.metadata) == (LONG_FIRST, LONG_META) for it in found)
        numbers = {tuple(map(repr, it.data["longest"][:2])) for it in found}
        assert numbers == {("1.0", "1e+16")}


@pytest.mark.parametrize("options", [{}, {"hash_partitions": 2}, {"unique_event_ids": True}], ids=str)
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
def test_one_that_was_open_goes_on(
    postgres_url: str, schema: str, before: str, after: str, options: dict[str, Any]
) -> None:
    with opened(postgres_url, schema, json_type=before, **options) as store:
        old = Use(store, "old")
        old.every_way()
        old.ask_again()
        old.read()
        assert store._context.sql.json_type == before  # pyright: ignore[reportPrivateUsage]
        changed(postgres_url, schema, after)
        assert types(postgres_url, schema) == {after}
        new = Use(store, "new")
        for use in (old, new):
            if use is new:
                use.every_way()
            use.ask_again()
            use.read()
        assert store.check() == []
        unique = {"unique_event_ids": True} if "unique_event_ids" in options else {}
        with opened(postgres_url, schema, **unique) as learned:
            for use in (old, new):
                use.store = learned
                use.ask_again()
                use.read()
            last = Use(learned, "last")
            last.every_way()
            last.ask_again()
            last.read()
            assert learned._context.sql.json_type == after  # pyright: ignore[reportPrivateUsage]
        changed(postgres_url, schema, before)
        for use in (old, new, last):
            use.store = store
            use.ask_again()
            use.read()


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
def test_so_do_groups(postgres_url: str, schema: str, before: str, after: str, driver: Any) -> None:
    opened(postgres_url, schema, json_type=before).close()

    async def many() -> None:
        async with AsyncPostgresEventStore(postgres_url, schema=schema, driver=driver) as store:
            await store.ping()
            sizes = record_groups(always_grouped(store))
            for round_ in range(3):
                if round_ == 2:
                    await asyncio.to_thread(changed, postgres_url, schema, after)
                calls = [
                    store.append(
                        f"g-{number}",
                        [made() for _ in range(count)],
                        expected_version=ANY,
                        outbox=[OutboxMessage("b", LONG_FIRST)] * messages,
                    )
                    for counts, messages in ([(1, 1), 0], [(1, 2), 0], [(1, 2), 1])
                    for number in range(10)
                    for count in counts
                ]
                calls.append(store.append("g-0", [made()], expected_version=999))
                *done, refused = await asyncio.gather(*calls, return_exceptions=True)
                assert isinstance(refused, ConcurrencyError)
                assert [it for it in done if isinstance(it, BaseException)] == []
            assert max(sizes) > 10
            found = [it async for it in store.read_all()]
            assert len(found) == 3 * 10 * 8
            assert all((it.data, it.metadata) == (LONG_FIRST, LONG_META) for it in found)

    asyncio.run(many())
    assert types(postgres_url, schema) == {after}


KILLED = """
import os, signal, sys
from mink_core.registry import open_administration
from mink_postgres.programs import moving
url, json_type, when = sys.argv[1:]
moving.CHUNK = 10
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
pieces = 0
def progress(done, mark):
    global pieces
    pieces += 1
    if when == f"after {pieces} pieces":
        kill()
if when in ("_swap", "analyze", "fit_functions", "_rewritten"):
    inner = getattr(moving, when)
    def killing(*arguments):
        if when != "_rewritten" or pieces == 3:
            yield from inner(*arguments)
            kill()
        return (yield from inner(*arguments))
    setattr(moving, when, killing)
with open_administration(url) as administration:
    administration.change_payloads(json_type, progress)
"""


@pytest.mark.parametrize("options", [{}, {"hash_partitions": 2}, {"unique_event_ids": True}], ids=str)
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
def test_killed_at_any_point_it_goes_on(
    postgres_url: str, schema: str, before: str, after: str, options: dict[str, Any]
) -> None:
    """The store works after each, as it was; what was copied is not copied again."""
    with opened(postgres_url, schema, json_type=before, **options) as store:
        filled(store, 10)
        points = ("after 1 pieces", "_rewritten", "after 4 pieces", "analyze", "_swap", "fit_functions")
        for number, when in enumerate(points):
            url = f"{postgres_url}?schema={schema}"
            ended = subprocess.run(
                [sys.executable, "-c", KILLED, url, after, when], capture_output=True, env=dict(os.environ), check=False
            )
            assert ended.returncode == -signal.SIGKILL, (when, ended.stderr.decode())
            assert types(postgres_url, schema) == {before}
            store.append("s-0", [NewEvent("Made", number)], expected_version=10 + number)
            store.privacy.redact("s-1", 1 + number, data="gone", by="test")
            assert store.check() == []
        stored = list(store.read_all())
        done = changed(postgres_url, schema, after)
        # All but the last append: those that were killed while they finished had copied the others before.
        assert (done.copied, types(postgres_url, schema)) == (1, {after})
        assert list(store.read_all()) == stored
        assert [it.data for it in store.read_stream("s-1")] == ["gone"] * 6 + [6, 7, 8, 9]
        assert store.check() == []
    assert raw(postgres_url, schema, "SELECT to_regclass('{schema}.events_retyped')::text") == [(None,)]


def test_two_that_change_one_store_do_not_meet(postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mink_postgres.programs.moving.CHUNK", 10)
    with opened(postgres_url, schema) as store:
        filled(store, 10)
        others: list[Any] = []

        def overtake(_done: int, _mark: int) -> None:
            if not others:
                others.append(changed(postgres_url, schema, "json"))

        with pytest.raises(SchemaError, match="another process"):
            changed(postgres_url, schema, "json", overtake)
        assert others[0].copied == 90
        assert len(list(store.read_all())) == 100
