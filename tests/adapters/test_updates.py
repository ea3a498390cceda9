"""What an update's decision may return, on every door."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import NewEvent, UsageError
from tests.adapters.test_retries import Caller, play

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.adapters.doors import Door


def paid() -> NewEvent:
    return NewEvent("OrderPaid", {})


def forgets_to_return(_events: list[Any]) -> None:
    [paid()]


def one(_events: list[Any]) -> NewEvent:
    return paid()


async def awaited(_events: list[Any]) -> list[NewEvent]:
    return [paid()]


async def awaited_for_each(_events: list[Any]) -> AsyncGenerator[NewEvent]:
    yield paid()


@pytest.mark.parametrize(
    ("decide", "told"),
    [
        (forgets_to_return, "not NoneType"),
        (one, "not NewEvent"),
        (awaited, "not coroutine"),
        (awaited_for_each, "not async_generator"),
    ],
)
def test_what_is_no_events_is_refused(door: Door, decide: Callable[[list[Any]], Any], told: str) -> None:
    async def scenario(call: Caller) -> None:
        if decide is awaited and door.is_async:
            assert (await call("update", "order-1", decide)).last_version == 1
            return
        with warnings.catch_warnings(), pytest.raises(UsageError, match=told):
            warnings.simplefilter("error")  # of a coroutine that nobody awaited
            await call("update", "order-1", decide)
        assert await call("update", "order-1", lambda events: events) is None  # nothing was stored

    play(door, scenario)


def test_a_decision_may_use_up_the_events_that_it_is_given(door: Door) -> None:
    """Its list was read for it alone; which version is expected was known before."""

    def decide(events: list[Any]) -> list[NewEvent]:
        while events:
            events.pop()
        return [paid()]

    async def scenario(call: Caller) -> None:
        for version in range(1, 4):
            assert (await call("update", "order-1", decide)).last_version == version

    play(door, scenario)
