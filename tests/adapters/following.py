"""What tests of durable subscriptions do: append, wait, make a handler of the door's kind."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

from mink_core import (
    ExpectedVersion,
    NewEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY


async def put(script: Script, count: int, stream: str = "a-1", **data: Any) -> None:
    new = [NewEvent("Made", {"n": number, **data}) for number in range(count)]
    await script(script.store.append(stream, new, expected_version=ANY))


async def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not (await result if inspect.isawaitable(result := condition()) else result):
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.005)


async def caught_up(script: Script) -> bool:
    """Whether the subscription "s" has saved that it has everything."""
    found = await script(script.store.checkpoints.load("s"))
    return found is not None and found.position >= await script(script.store.head_position())


async def tried_again(script: Script) -> None:
    """Ask for all that "s" has parked, and wait until its worker has tried it."""
    await script(script.store.parked.replay("s"))

    async def tried() -> bool:
        return not any(item.replay for item in await script(script.store.parked.list("s")))

    await until(tried)


def rests(worker: Any) -> bool:
    """Whether a worker has heard of a pause, and nothing of it is under way any more."""
    return not worker._supervisor._consumers


def taking(script: Script, work: Callable[..., None]) -> Any:
    """A handler of the door's own kind."""
    if not hasattr(script.store, "__aenter__"):
        return work

    async def handler(*arguments: Any) -> None:
        await asyncio.sleep(0)
        work(*arguments)

    return handler
