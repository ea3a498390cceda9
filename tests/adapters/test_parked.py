"""What a subscription has parked, where it is very much."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import RetryPolicy, WhenExhausted
from mink_core.runtime import consumer
from tests.adapters.following import caught_up, put, taking, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

PARK = RetryPolicy(retries=0, then=WhenExhausted.PARK)


@pytest.mark.parametrize("transactional", [False, True])
def test_many_replays_take_turns_with_the_feed(
    door: Door, transactional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also, what nobody asks for is not looked at: there may be very many of them, and a worker looks often."""
    clock = SimpleNamespace(monotonic=count(0, 1000).__next__)  # each turn is over at once

    async def scenario(script: Script) -> None:
        store = script.store
        seen: list[int] = []
        fails = True

        def work(event: Any, *_: Any) -> None:
            if fails:
                raise ValueError
            seen.append(event.version)

        def worker() -> Any:
            return store.subscription("s", taking(script, work), transactional=transactional, retry=PARK)

        await put(script, 5)
        failing = worker()
        await script(failing.start())
        await until(lambda: caught_up(script))
        await script(failing.close())
        fails = False
        parked = await script(store.parked.list("s"))
        assert await script(store.parked.replay("s", parked[3].global_position)) == 1
        for item in parked[:2]:
            await script(store.parked.replay("s", item.global_position))
        await put(script, 1)
        kind = type(store.parked)
        listed, found = kind.list, []

        def recorded(self: Any, *args: Any, **more: Any) -> Any:
            found.append(more)
            return listed(self, *args, **more)

        monkeypatch.setattr(kind, "list", recorded)
        monkeypatch.setattr(consumer, "time", clock)
        following = worker()
        await script(following.start())
        await until(lambda: len(seen) == 4)
        monkeypatch.undo()
        await script(following.close())
        assert seen == [1, 6, 2, 4]
        assert all(more == {"asked": True} for more in found)
        assert [item.version for item in await script(store.parked.list("s"))] == [3, 5]

    play(door, scenario)
