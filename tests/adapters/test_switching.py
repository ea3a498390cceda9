"""`switch` while the old version goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mink_core import NewEvent, Projection, switch, switch_async
from tests.adapters.following import put
from tests.adapters.script import play

if TYPE_CHECKING:
    import pytest

    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def test_a_switch_needs_no_look_at_all_subscriptions_to_be_quick(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts how far each one is behind. The broken twin believed it: on a busy feed the old one had moved on each time."""

    async def scenario(script: Script) -> None:
        store = script.store
        old, new = Projection("sums"), Projection("sums", version=2)
        await put(script, 3)
        for projection, position in ((old, 1), (new, 1_000)):
            await script(store.subscriptions.hold(projection.subscription, "w", partitions=2, seconds=60))
            for part in (0, 1):
                await script(store.checkpoints.save(f"{projection.subscription}#{part}/2", position, expected=None))
        kind = type(store.subscriptions)
        listed, at = kind.list, 1

        def moved_on() -> Any:
            nonlocal at
            at += 1
            return store.checkpoints.save("sums@1#1/2", at, expected=at - 1)

        def in_a_thread(self: Any) -> Any:
            found = listed(self)
            moved_on()
            return found

        async def in_a_task(self: Any) -> Any:
            found = await listed(self)
            await moved_on()
            return found

        monkeypatch.setattr(kind, "list", in_a_task if door.is_async else in_a_thread)

        async def act(tx: Any) -> None:
            await tx.append("switched-1", [NewEvent("Switched", {})], expected_version=0)

        def act_sync(tx: Any) -> None:
            tx.append("switched-1", [NewEvent("Switched", {})], expected_version=0)

        if door.is_async:
            await switch_async(store, old, new, act, seconds=3)
        else:
            await asyncio.to_thread(switch, store, old, new, act_sync, seconds=3)
        monkeypatch.undo()
        paused = {item.name: item.paused_at is not None for item in await script(store.subscriptions.list())}
        assert paused == {"sums@1": True, "sums@2": False}
        assert (await script(store.stream_info("switched-1"))).version == 1

    play(door, scenario)
