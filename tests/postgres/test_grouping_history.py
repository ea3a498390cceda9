"""A random history of grouped appends by three stores at once on the same streams, checked afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from mink_core import AppendResult, ConcurrencyError, DuplicateEventError, ExpectedVersion, MinkError, NewEvent
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.grouping import async_runner, sync_runner
from tests.postgres.grouped import always_grouped

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = float(os.environ.get("MINK_GROUPING_SECONDS", "3"))
STREAMS = 12
CALLERS = 24
ENOUGH = 1000
ANY, NONE = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM


class Call(NamedTuple):
    """One append: what was asked, when, and what the caller was told."""

    stream: str
    events: list[NewEvent]
    expected: Any
    outcome: object
    began: float
    ended: float


class Caller:
    """Decides on appends from what its earlier ones said; some are repeated, as after a lost reply."""

    def __init__(self, name: str, number: int) -> None:
        self.random = random.Random(f"{name} {number}")
        self.name = f"{name} {number}"
        self.known: dict[str, int] = {}
        self.last: Call | None = None

    def next(self) -> tuple[str, list[NewEvent], Any]:
        if self.last is not None and self.random.random() < 0.1:
            return self.last[:3]
        stream = f"s-{self.random.randrange(STREAMS)}"
        events = [NewEvent("Made", {"by": self.name, "n": n}) for n in range(self.random.choice((1, 1, 1, 2, 5)))]
        if self.random.random() < 0.3:
            return stream, events, ANY
        return stream, events, self.known.get(stream, 0) or NONE

    def told(self, call: Call) -> None:
        self.last = call if call.expected is not ANY else None
        if isinstance(call.outcome, AppendResult):
            self.known[call.stream] = call.outcome.last_version
        elif isinstance(call.outcome, ConcurrencyError):
            self.known[call.stream] = call.outcome.actual


def play(url: str, schema: str, seconds: float) -> tuple[list[Call], list[int]]:
    """Let all callers append until the time is over, and they made calls enough to meet one another."""
    calls: list[Call] = []
    end = time.monotonic() + seconds
    followed: list[int] = []

    def goes_on() -> bool:
        now = time.monotonic()
        return now < end or (len(calls) < ENOUGH and now < end + 60)

    def one(caller: Caller, append: Callable[..., Any]) -> None:
        asked = caller.next()
        began = time.monotonic()
        try:
            outcome: object = append(asked[0], asked[1], expected_version=asked[2])
        except MinkError as error:
            outcome = error
        calls.append(Call(*asked, outcome, began, time.monotonic()))
        caller.told(calls[-1])

    async def one_async(caller: Caller, append: Callable[..., Any]) -> None:
        asked = caller.next()
        began = time.monotonic()
        try:
            outcome: object = await append(asked[0], asked[1], expected_version=asked[2])
        except MinkError as error:
            outcome = error
        call = Call(*asked, outcome, began, time.monotonic())
        calls.append(call)
        caller.told(call)

    def tasks(driver: str) -> None:
        async def loop(store: Any, number: int) -> None:
            caller = Caller(driver, number)
            while goes_on():
                await one_async(caller, store.append)

        async def main() -> None:
            async with AsyncPostgresEventStore(url, schema=schema, driver=driver) as store:
                always_grouped(store)
                await asyncio.gather(*(loop(store, number) for number in range(CALLERS)))

        asyncio.run(main())

    def follow(store: PostgresEventStore) -> None:
        with store.subscribe(poll_interval=0.002) as subscription:
            for batch in subscription:
                followed.extend(event.global_position for event in batch)

    with PostgresEventStore(url, schema=schema) as store, PostgresEventStore(url, schema=schema) as reading:
        always_grouped(store)
        reading.initialize()

        def thread(number: int) -> None:
            caller = Caller("threads", number)
            while goes_on():
                one(caller, store.append)

        follower = threading.Thread(target=follow, args=(reading,))
        follower.start()
        threads = [threading.Thread(target=thread, args=(number,)) for number in range(CALLERS // 2)]
        threads += [threading.Thread(target=tasks, args=(driver,)) for driver in ("psycopg", "asyncpg")]
        for started in threads:
            started.start()
        for started in threads:
            started.join()
        newest = store.head_position()
        deadline = time.monotonic() + 60
        while (not followed or followed[-1] < newest) and time.monotonic() < deadline:
            time.sleep(0.01)
        reading.close()
        follower.join()
    return calls, followed


def check(calls: list[Call], followed: list[int], store: PostgresEventStore) -> None:
    """Whether the answers fit together, and with what is stored."""
    stored = {event.event_id: event for event in store.read_all()}
    assert followed == [event.global_position for event in stored.values()], "the feed skipped, repeated or reordered"
    claimed: dict[Any, Call] = {}
    won: dict[tuple[str, Any], list[Any]] = {}
    for call in calls:
        outcome = call.outcome
        if isinstance(outcome, AppendResult):
            events = [stored[event.event_id] for event in call.events]
            assert outcome.stream_id == call.stream
            assert outcome.event_ids == tuple(event.event_id for event in call.events)
            assert [event.version for event in events] == list(range(outcome.first_version, outcome.last_version + 1))
            assert (events[0].global_position, events[-1].global_position) == (
                outcome.first_position,
                outcome.last_position,
            )
            assert all(event.stream_id == call.stream for event in events)
            assert [event.data for event in events] == [event.data for event in call.events]
            for event in call.events:
                claimed[event.event_id] = call
            if call.expected is not ANY:
                exact = 0 if call.expected is NONE else call.expected
                assert outcome.first_version == exact + 1
                won.setdefault((call.stream, exact), []).append(outcome)
        else:
            assert isinstance(outcome, (ConcurrencyError, DuplicateEventError)), outcome
            if isinstance(outcome, ConcurrencyError):
                assert outcome.stream_id == call.stream
                assert outcome.actual != (0 if call.expected is NONE else call.expected)
    assert set(stored) == set(claimed), "an event is stored that no caller was told of"
    for (stream, version), results in won.items():
        assert all(result == results[0] for result in results), f"two winners at {stream} {version}"
    for info in store.streams():
        versions = [event.version for event in store.read_stream(info.stream_id)]
        assert versions == list(range(1, info.version + 1))
    # FEED-02: what began after another had returned has higher positions. Repeats have their first call's.
    done = [call for call in calls if isinstance(call.outcome, AppendResult)]
    first = {call.outcome.first_position: call for call in reversed(done)}  # type: ignore[union-attr]
    ends = sorted(first.values(), key=lambda call: call.ended)
    highest, index = 0, 0
    for call in sorted(first.values(), key=lambda call: call.began):
        while index < len(ends) and ends[index].ended < call.began:
            highest = max(highest, ends[index].outcome.last_position)  # type: ignore[attr-defined]
            index += 1
        assert call.outcome.first_position > highest  # type: ignore[attr-defined]


def test_three_stores_with_groups_keep_every_promise(
    postgres_url: str, schema: str, store: PostgresEventStore, record_property: Callable[[str, object], None]
) -> None:
    calls, followed = play(postgres_url, schema, SECONDS)
    check(calls, followed, store)
    kinds = {kind: sum(isinstance(call.outcome, kind) for call in calls) for kind in (AppendResult, ConcurrencyError)}
    assert min(kinds.values()) > 50, kinds
    record_property("appends", {kind.__name__: count for kind, count in kinds.items()})
    assert store.check() == []


TWINS = {
    "version unchecked": ("current = expected OR", "current >= expected OR"),
    "conflict told as done": (
        "outcome := 'conflict';",
        "outcome := 'repeated'; actual := expected; first_position := 1; last_position := 1;",
    ),
}
"""What stands in the SQL function, and what its broken twin has there."""


@pytest.mark.parametrize("twin", ["answers by arrival", "version unchecked", "conflict told as done"])
def test_broken_twins_are_caught(
    postgres_url: str, schema: str, store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch, twin: str
) -> None:
    """The same history with one mistake in the grouping: a check that it passes would prove nothing."""
    if twin in TWINS:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            row = owner.execute(
                "SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE p.pronamespace = %s::regnamespace "
                "AND p.proname = 'append_group'",
                (schema,),
            ).fetchone()
            assert row is not None
            assert TWINS[twin][0] in row[0]
            owner.execute(row[0].replace(*TWINS[twin]))
    else:
        program = sync_runner.append_group

        def swapped(context: Any, items: Any, array: Any) -> Any:
            # As if the server answered in the order of the call, and not in that of the locks.
            answers = yield from program(context, items, array)
            order = sorted(range(len(items)), key=lambda index: items[index].stream_id)
            return [answers[index] for index in order]

        monkeypatch.setattr(sync_runner, "append_group", swapped)
        monkeypatch.setattr(async_runner, "append_group", swapped)
    calls, followed = play(postgres_url, schema, 0.7)
    with pytest.raises((AssertionError, KeyError)):
        check(calls, followed, store)
