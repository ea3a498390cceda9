"""One projection, run inline, durable and live, and built anew, on every door."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partialmethod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from mink_core import (
    ConcurrencyError,
    EventFilter,
    ExpectedVersion,
    NewEvent,
    Projection,
    SubscriptionNotFoundError,
    UsageError,
    append_inline,
    append_inline_async,
    handles,
    switch,
    switch_async,
)
from tests.adapters.following import rests
from tests.adapters.following import until as following
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY


class Balances(Projection):
    """Sums, kept as events of a stream of its own: a read model that every adapter can hold in a transaction."""

    def __init__(self, **options: Any) -> None:
        super().__init__("balances", **options)
        self.live: Counter[str] = Counter()

    @handles("Deposited", "Withdrawn")
    def moved(self, event: Any, tx: Any) -> Any:
        sign = 1 if event.event_type == "Deposited" else -1
        self.live[event.stream_id] += sign * event.data["amount"]
        if tx is not None:
            record = NewEvent("Moved", {"of": event.version, "by": sign * event.data["amount"]})
            return tx.append(f"model{self.version}-{event.stream_id}", [record], expected_version=ANY)
        return None


def deposit(amount: int) -> NewEvent:
    return NewEvent("Deposited", {"amount": amount})


async def model(script: Script, version: int = 1) -> list[int]:
    where = EventFilter(stream_ids=(f"model{version}-account-1",))
    return [event.data["by"] for event in (await script(script.store.poll(0, where=where, limit=1000))).events]


async def until(script: Script, count: int, version: int = 1) -> None:
    async with asyncio.timeout(60):
        while len(await model(script, version)) < count:  # noqa: ASYNC110 -- looks into the store
            await asyncio.sleep(0.01)


async def inline(script: Script, projection: Projection, events: list[NewEvent], expected: Any) -> Any:
    if hasattr(script.store, "__aenter__"):
        return await append_inline_async(script.store, [projection], "account-1", events, expected_version=expected)
    return append_inline(script.store, [projection], "account-1", events, expected_version=expected)


def test_inline_in_the_append_s_transaction(door: Door) -> None:
    async def scenario(script: Script) -> None:
        projection = Balances()
        first = [deposit(5), NewEvent("Withdrawn", {"amount": 2}), NewEvent("Renamed", {})]
        result = await inline(script, projection, first, 0)
        assert await model(script) == [5, -2]
        assert await inline(script, projection, first, 0) == result  # repeated: stored and projected once
        assert await model(script) == [5, -2]
        with pytest.raises(ConcurrencyError):
            await inline(script, projection, [deposit(1)], 7)
        with pytest.raises(KeyError):
            await inline(script, projection, [deposit(1), NewEvent("Deposited", {})], 3)
        assert await model(script) == [5, -2]
        assert (await script(script.store.stream_info("account-1"))).version == 3

    play(door, scenario)


@pytest.mark.parametrize(
    ("where", "moved"),
    [
        (EventFilter(categories=("savings",)), []),
        (EventFilter(categories=("account",), metadata={"bank": 1}), [5, 7]),
        (EventFilter(stream_ids=("account-1",), metadata={"bank": True}), [6]),
        (EventFilter(metadata={"bank": None}), [8]),
    ],
)
def test_inline_gets_what_a_worker_would_get(door: Door, where: EventFilter, moved: list[int]) -> None:
    async def scenario(script: Script) -> None:
        banks = [1, True, 1.0, None]
        events = [NewEvent("Deposited", {"amount": 5 + n}, {"bank": bank}) for n, bank in enumerate(banks)]
        await inline(script, Balances(where=where), [*events, deposit(9)], 0)
        assert await model(script) == moved
        wanted = Balances(where=where).where
        assert [it.data["amount"] for it in (await script(script.store.poll(0, where=wanted))).events] == moved

    play(door, scenario)


def test_durable(door: Door) -> None:
    async def scenario(script: Script) -> None:
        projection = Balances()
        made = [deposit(amount) for amount in range(1, 8)]
        await script(script.store.append("account-1", made, expected_version=0))
        worker = (projection.worker_async if door.is_async else projection.worker)(script.store)
        assert worker.name == "balances@1"
        await script(worker.start())
        await until(script, 7)
        await script(worker.close())
        assert await model(script) == list(range(1, 8))

    play(door, scenario)


def test_live(door: Door) -> None:
    async def scenario(script: Script) -> None:
        projection = Balances()
        await script(script.store.append("account-1", [deposit(3), deposit(4)], expected_version=0))
        subscription = script.store.subscribe(where=projection.where)
        if door.is_async:
            following = asyncio.create_task(projection.follow_async(subscription))
        else:
            following = asyncio.create_task(asyncio.to_thread(projection.follow, subscription))
        await script(script.store.append("account-2", [deposit(9)], expected_version=0))
        async with asyncio.timeout(60):
            while projection.live["account-2"] < 9:  # noqa: ASYNC110 -- set by a handler in a thread, too
                await asyncio.sleep(0.01)
        await script(subscription.close())
        await following
        assert projection.live == {"account-1": 7, "account-2": 9}

    play(door, scenario)


def test_a_new_version_is_built_beside_and_takes_over(door: Door) -> None:
    """At the switch the new version is at least as far as the old one, which is paused."""

    async def scenario(script: Script) -> None:
        old, new = Balances(), Balances(version=2)
        store = script.store
        for amount in range(1, 31):
            await script(store.append("account-1", [deposit(amount)], expected_version=ANY))

        async def switched(act: Any, seconds: float) -> None:
            if door.is_async:

                async def awaited(tx: Any) -> None:
                    act(tx)

                await switch_async(store, old, new, awaited, seconds=seconds)
            else:
                # In a thread, as the workers' are; this one goes on with the appends.
                await asyncio.to_thread(switch, store, old, new, act, seconds=seconds)

        with pytest.raises(SubscriptionNotFoundError):
            await switched(lambda _: None, 0.1)
        workers = [
            (item.worker_async if door.is_async else item.worker)(store, lease_seconds=0.4) for item in (old, new)
        ]
        await script(workers[0].start())
        await until(script, 30)
        await script(store.subscriptions.hold("balances@2", "nobody", partitions=1, seconds=0.01))
        with pytest.raises(TimeoutError, match="did not catch up"):
            await switched(lambda _: None, 0.1)
        await script(workers[1].start())
        seen: list[tuple[int, int]] = []

        def act(_: Any) -> None:
            seen.append((sum(old.live.values()), sum(new.live.values())))

        await switched(act, 60)
        ((of_old, of_new),) = seen
        assert of_new >= of_old == sum(range(1, 31))
        await following(lambda: rests(workers[0]))
        await script(store.append("account-1", [deposit(100)], expected_version=ANY))
        await until(script, 31, version=2)
        assert len(await model(script)) == 30
        paused = {item.name: item.paused_at is not None for item in await script(store.subscriptions.list())}
        assert paused == {"balances@1": True, "balances@2": False}
        for worker in workers:
            await script(worker.close())

    play(door, scenario)


def test_a_switch_waits_for_the_new_version_s_first_worker(door: Door) -> None:
    """A worker that was started a moment ago has not made its subscription yet."""

    async def scenario(script: Script) -> None:
        old, new = Balances(), Balances(version=2)
        workers = [(it.worker_async if door.is_async else it.worker)(script.store) for it in (old, new)]
        await script(script.store.append("account-1", [deposit(1)], expected_version=ANY))
        await script(workers[0].start())
        await until(script, 1)

        async def act(_: Any) -> None:
            """Nothing to change."""

        switching = asyncio.create_task(
            switch_async(script.store, old, new, act)
            if door.is_async
            else asyncio.to_thread(switch, script.store, old, new, lambda _: None)
        )
        await asyncio.sleep(0.2)
        await script(workers[1].start())
        await switching
        assert new.live == {"account-1": 1}
        for worker in workers:
            await script(worker.close())

    play(door, scenario)


class Kinds(Projection):
    """A handler of every kind of method."""

    @handles("Method")
    def method(self, _event: Any, _tx: Any) -> Any:
        return self.name

    @staticmethod
    @handles("Static")
    def static(_event: Any, _tx: Any) -> Any:
        return "static"

    @classmethod
    @handles("Class")
    def of_class(cls, _event: Any, _tx: Any) -> Any:
        return cls

    @handles("ClassToo")
    @classmethod
    def of_class_too(cls, _event: Any, _tx: Any) -> Any:
        return cls

    wrapped = handles("Wrapped")(partialmethod(method))  # type: ignore[type-var]  # what a decorator may make
    other = Mock()  # has whatever attribute it is asked for, as proxies do


class Overriding(Kinds):
    def method(self, _event: Any, _tx: Any) -> Any:
        return "own"

    static = None  # type: ignore[assignment]  # no handler any more


def answers(projection: Projection) -> dict[str, Any]:
    """What the handler of each type that it wants gives."""
    types = projection.where.event_types
    return {name: projection(SimpleNamespace(event_type=name)) for name in types}  # type: ignore[arg-type]  # all that is looked at


def test_no_marked_method_is_left_out_and_none_for_being_overridden() -> None:
    all_kinds = {"Method": "kinds", "Class": Kinds, "ClassToo": Kinds, "Static": "static", "Wrapped": "kinds"}
    assert answers(Kinds("kinds")) == all_kinds
    overriding = {"Method": "own", "Class": Overriding, "ClassToo": Overriding, "Wrapped": "kinds"}
    assert answers(Overriding("kinds")) == overriding


def test_functions_and_refusals() -> None:
    projection = Projection("p", where=EventFilter(categories=("a",)))
    with pytest.raises(UsageError, match="no handler"):
        _ = projection.where

    @projection.on("A", "B")
    def handler(event: Any, tx: Any) -> None:
        """Nothing."""

    assert projection.where == EventFilter(categories=("a",), event_types=("A", "B"))
    with pytest.raises(UsageError, match="already"):
        projection.on("B")(handler)
    for wrong in ({"version": 0}, {"version": True}, {"where": EventFilter(event_types=("A",))}):
        with pytest.raises(UsageError):
            Projection("p", **wrong)
    with pytest.raises(UsageError):
        Projection("a#b")
