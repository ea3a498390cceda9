"""One straight line of test code for the sync and the async doors."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from tests.adapters.ageing import pass_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.adapters.doors import Door


class Script:
    """Awaits what an async door returns, and takes what a sync door returns as it is.

    A sync call is made while the arguments are evaluated, so a test that expects an error writes
    `await script(store.call())` as a whole into its `with pytest.raises(…)`.
    """

    def __init__(self, store: Any, url: str = "") -> None:
        self.store = store
        self._url = url

    async def __call__(self, result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    async def later(self, seconds: float) -> None:
        """Go on when so many seconds have passed for leases, delays and times to live, however long the test takes."""
        await asyncio.to_thread(pass_time, self.store, self._url, seconds)

    async def in_transaction(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        block = self.store.transaction()
        if hasattr(block, "__aenter__"):
            async with block as tx:
                return await work(tx)
        with block as tx:
            return await work(tx)


async def collected(events: Any) -> list[Any]:
    """What an iterator of the door's kind gives."""
    return [event async for event in events] if hasattr(events, "__aiter__") else list(events)


def play(door: Door, scenario: Callable[[Script], Any], **options: Any) -> None:
    """Run a scenario on a door's store."""
    if door.is_async:
        door.run(lambda store: scenario(Script(store, door.url())), **options)
    else:
        door.run(lambda store: asyncio.run(scenario(Script(store, door.url()))), **options)
