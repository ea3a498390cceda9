"""Durable subscriptions on every door (SUB-06, SUB-08, SUB-09)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    EventFilter,
    PositionAheadError,
    UsageError,
)
from tests.adapters.following import put, rests, taking, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def test_what_was_handled_is_not_handled_again(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        for number in range(4):
            await put(script, 5)
            worker = script.store.subscription("s", handler, batch_size=2)
            await script(worker.start())
            await until(lambda wanted=5 * number + 5: len(seen) == wanted)
            await script(worker.close())
        assert seen == list(range(1, 21))
        assert (await script(script.store.subscriptions.list()))[0].lag_events == 0
        with pytest.raises(UsageError, match="once"):
            await script(worker.run())

    play(door, scenario)


def test_from_now_on_stays_where_it_was_first_said(door: Door) -> None:
    async def checkpointed(script: Script) -> bool:
        return await script(script.store.checkpoints.load("s")) is not None

    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 3)
        for wanted in ([], [4, 5]):  # the second start finds two events that came while nobody worked
            worker = script.store.subscription("s", handler, after_position=None)
            await script(worker.start())
            await until(lambda: checkpointed(script))
            await until(lambda wanted=wanted: len(seen) >= len(wanted))
            await asyncio.sleep(0.1)  # for what would come too much
            assert seen == wanted
            await script(worker.close())
            await put(script, 2)
        assert seen == [4, 5]

    play(door, scenario)


def test_a_filter_moves_the_checkpoint_over_what_it_leaves_out(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 1500, "noise-1")
        await put(script, 1, "a-1")
        await put(script, 300, "noise-1")
        worker = script.store.subscription("s", handler, where=EventFilter(categories=("a",)))
        await script(worker.start())
        await until(lambda: seen == [1])
        await script(worker.close())
        newest = await script(script.store.head_position())
        assert (await script(script.store.checkpoints.load("s"))).position == newest

    play(door, scenario)


def test_partitions_are_shared_and_each_stream_keeps_its_order(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: dict[str, list[int]] = {}
        by: dict[str, set[str]] = {}

        def handler_of(owner: str) -> Any:
            def work(event: Any) -> None:
                seen.setdefault(event.stream_id, []).append(event.version)
                by.setdefault(owner, set()).add(event.stream_id)

            return taking(script, work)

        workers = [
            script.store.subscription("s", handler_of(name), partitions=4, lease_seconds=2) for name in ("x", "y")
        ]
        for worker in workers:
            await script(worker.start())
        rounds, owners = 0, set[str | None]()
        while rounds < 15 or owners != {worker.owner for worker in workers}:  # the shares change while events come
            rounds += 1
            for number in range(12):
                await put(script, 1, f"a-{number}")
            await asyncio.sleep(0.02)
            known = await script(script.store.subscriptions.list())
            owners = {part.owner for status in known for part in status.partitions}
        for number in range(12):
            await put(script, 1, f"a-{number}")
        await until(lambda: sum(map(len, seen.values())) >= 12 * (rounds + 1))
        for worker in workers:
            await script(worker.close())
        assert seen == {f"a-{number}": list(range(1, rounds + 2)) for number in range(12)}
        assert len(by) == 2

    play(door, scenario)


def test_another_number_of_partitions_is_told(door: Door) -> None:
    async def scenario(script: Script) -> None:
        await script(script.store.subscriptions.hold("s", "w", partitions=2, seconds=1))
        worker = script.store.subscription("s", taking(script, lambda event: None), partitions=3)
        with pytest.raises(UsageError, match="has 2 partitions, not 3"):
            await script(worker.run())

    play(door, scenario)


def test_another_epoch_is_told_and_not_read_over(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []
        handler = taking(script, lambda event: seen.append(event.version))
        await put(script, 3)
        worker = script.store.subscription("s", handler)
        await script(worker.start())
        await until(lambda: len(seen) == 3)
        await script(worker.close())
        await script(script.store.bump_epoch())
        await put(script, 3)
        worker = script.store.subscription("s", handler)
        with pytest.raises(PositionAheadError, match="epoch"):
            await script(worker.run())
        position = (await script(script.store.checkpoints.load("s"))).position
        await script(script.store.subscriptions.rewind("s", position))  # on purpose
        worker = script.store.subscription("s", handler)
        await script(worker.start())
        await until(lambda: len(seen) == 6)
        await script(worker.close())

    play(door, scenario)


def test_pause_and_rewind_reach_a_running_worker(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        seen: list[int] = []
        worker = store.subscription("s", taking(script, lambda event: seen.append(event.version)), lease_seconds=2)
        await put(script, 2)
        await script(worker.start())
        await until(lambda: len(seen) == 2)
        await script(store.subscriptions.pause("s"))
        await until(lambda: rests(worker))
        await put(script, 1)
        await asyncio.sleep(0.2)
        assert len(seen) == 2
        await script(store.subscriptions.resume("s"))
        await until(lambda: len(seen) == 3)
        await script(store.subscriptions.rewind("s", 0))
        await until(lambda: len(seen) == 6)
        await script(worker.close())
        assert seen == [1, 2, 3, 1, 2, 3]

    play(door, scenario)


def test_two_streams_of_workers_do_not_disturb_one_another(door: Door) -> None:
    async def scenario(script: Script) -> None:
        seen: dict[str, list[int]] = {"a": [], "b": []}
        await put(script, 30)
        workers = [
            script.store.subscription(name, taking(script, lambda event, name=name: seen[name].append(event.version)))
            for name in seen
        ]
        for worker in workers:
            await script(worker.start())
        await until(lambda: all(len(got) == 30 for got in seen.values()))
        for worker in workers:
            await script(worker.close())
        assert seen == {"a": list(range(1, 31)), "b": list(range(1, 31))}

    play(door, scenario)


WRONG: list[dict[str, Any]] = [
    {"partitions": 0},
    {"after_position": -1},
    {"batch_size": 0},
    {"poll_interval": 0},
    {"poll_interval": 1e12},
    {"lease_seconds": 1e12},
    {"lease_seconds": float("nan")},
    {"retry": 3},
    {"handler": "x"},
    {"name": "a#b"},
]


def test_wrong_arguments_are_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        for options in WRONG:
            given = {"name": "s", "handler": print, **options}
            with pytest.raises(UsageError):
                script.store.subscription(given.pop("name"), given.pop("handler"), **given)

    play(door, scenario)
