"""Every row of the retry table of APPEND-09, on every door."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mink_core import ConcurrencyError, DuplicateEventError, ExpectedVersion, NewEvent, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.doors import Door

ANY, EXISTS, NONE = ExpectedVersion.ANY, ExpectedVersion.STREAM_EXISTS, ExpectedVersion.NO_STREAM
CONTENTS = [1, 1.0, True, "1", [1], {"a": 1, "b": {"c": [1.0, None]}}, 10**16, 1e16]


def made(count: int = 2) -> list[NewEvent]:
    return [NewEvent("Made", {"n": n, "f": 1.0}, {"user_id": "u"}) for n in range(count)]


def again(event: NewEvent, **changed: Any) -> NewEvent:
    fields = {"event_type": event.event_type, "data": event.data, "metadata": event.metadata}
    return NewEvent(**{**fields, **changed}, event_id=event.event_id)


class Caller:
    """Calls a store of either door from one straight line of test code."""

    def __init__(self, store: Any) -> None:
        self.store = store

    async def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        result = getattr(self.store, name)(*args, **options)
        return await result if inspect.isawaitable(result) else result

    async def append(self, stream: str, events: list[NewEvent], expected: Any) -> Any:
        return await self("append", stream, events, expected_version=expected)

    async def versions(self, stream: str) -> int:
        return (await self("stream_info", stream)).version


def play(door: Door, scenario: Callable[[Caller], Any], **options: Any) -> None:
    if door.is_async:
        door.run(lambda store: scenario(Caller(store)), **options)
    else:
        door.run(lambda store: asyncio.run(scenario(Caller(store))), **options)


@pytest.mark.parametrize("start", [0, 3])
def test_the_same_call_again_gives_the_first_result(door: Door, start: int) -> None:
    async def scenario(call: Caller) -> None:
        if start:
            await call.append("a-1", made(start), NONE)
        for count in (1, 2, 5):
            stream = f"a-{count}0"
            if start:
                await call.append(stream, made(start), NONE)
            events = made(count)
            first = await call.append(stream, events, start)
            assert await call.append(stream, events, start or NONE) == first
            # Key order is not content, and absent metadata equals empty metadata when read.
            other_order = [again(event, data=dict(reversed(event.data.items()))) for event in events]
            assert await call.append(stream, other_order, start) == first
            await call.append(stream, made(3), start + count)
            assert await call.append(stream, events, start) == first
            assert await call.versions(stream) == start + count + 3

    play(door, scenario)


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("later", [False, True])
def test_another_call_with_a_stored_id_is_a_duplicate(door: Door, start: int, later: bool) -> None:
    async def scenario(call: Caller) -> None:
        if start:
            await call.append("a-1", made(start), NONE)
        first = made(3)
        await call.append("a-1", first, start)
        if later:
            await call.append("a-1", made(2), start + 3)
        wrong = {
            "fewer": first[:2],
            "fewer, from the middle": first[1:],
            "more": [*first, *made(1)],
            "reordered": [first[1], first[0], first[2]],
            "one replaced": [first[0], *made(1), first[2]],
            "only the last known": [*made(2), first[2]],
            "another type": [again(first[0], event_type="Other"), *first[1:]],
            "other data": [first[0], again(first[1], data={"n": 99}), first[2]],
            "1 for 1.0": [again(first[0], data={"n": 0, "f": 1}), *first[1:]],
            "1.0 for 1": [again(first[0], data={"n": 0.0, "f": 1.0}), *first[1:]],
            "other metadata": [again(first[0], metadata={"user_id": "v"}), *first[1:]],
            "no metadata": [again(first[0], metadata=None), *first[1:]],
        }
        ids = {event.event_id for event in first}
        for name, events in wrong.items():
            with pytest.raises(DuplicateEventError) as refused:
                await call.append("a-1", events, start)
            assert refused.value.event_id in ids, name
            assert refused.value.event_id in {event.event_id for event in events}, name
        assert await call.versions("a-1") == start + (5 if later else 3)

    play(door, scenario)


def test_no_known_id_is_a_conflict_with_the_true_version(door: Door) -> None:
    async def scenario(call: Caller) -> None:
        await call.append("a-1", made(3), NONE)
        for expected in (NONE, 0, 1, 2, 4, 99):
            with pytest.raises(ConcurrencyError) as refused:
                await call.append("a-1", made(), expected)
            assert refused.value.actual == 3
        for expected in (1, 7, EXISTS):
            with pytest.raises(ConcurrencyError) as refused:
                await call.append("missing-1", made(), expected)
            assert refused.value.actual == 0

    play(door, scenario)


@pytest.mark.parametrize("one", range(len(CONTENTS)))
def test_content_is_compared_with_its_types(door: Door, one: int) -> None:
    async def scenario(call: Caller) -> None:
        event = NewEvent("Made", CONTENTS[one])
        first = await call.append("a-1", [event], 0)
        for other, content in enumerate(CONTENTS):
            repeated = [again(event, data=content)]
            if other == one:
                assert await call.append("a-1", repeated, 0) == first
            else:
                with pytest.raises(DuplicateEventError):
                    await call.append("a-1", repeated, 0)

    play(door, scenario)


def test_a_batch_is_repeated_whole_or_refused(door: Door) -> None:
    async def scenario(call: Caller) -> None:
        await call.append("old-1", made(1), NONE)
        items = [
            StreamAppend("b-1", made(2), NONE),
            StreamAppend("a-1", made(1), 0),
            StreamAppend("b-1", made(1), 2),
            StreamAppend("old-1", made(2), 1),
        ]
        first = await call("append_batch", items)
        assert await call("append_batch", items) == first
        await call.append("b-1", made(1), 3)
        assert await call("append_batch", items) == first
        fresh = StreamAppend("new-1", made(1), NONE)
        for mixed in ([*items, fresh], [fresh, *items[:2]], [items[0], StreamAppend("old-1", made(1), 1)]):
            with pytest.raises(DuplicateEventError) as refused:
                await call("append_batch", mixed)
            assert refused.value.event_id in {event.event_id for item in items for event in item.events}
        with pytest.raises(ConcurrencyError) as conflict:
            await call("append_batch", [fresh, StreamAppend("old-1", made(1), 1)])
        assert (conflict.value.stream_id, conflict.value.actual) == ("old-1", 3)
        with pytest.raises(ConcurrencyError):
            await call.append("new-1", made(1), EXISTS)

    play(door, scenario)


@pytest.mark.parametrize("expected", [ANY, EXISTS, 1])
def test_unique_ids_hold_under_every_expectation(door: Door, expected: Any) -> None:
    async def scenario(call: Caller) -> None:
        await call.append("a-1", made(1), NONE)
        await call.append("b-1", made(1), NONE)
        events = made(2)
        first = await call.append("a-1", events, expected)
        assert await call.append("a-1", events, expected) == first
        await call.append("a-1", made(1), ANY)
        assert await call.append("a-1", events, expected) == first
        for stream, wrong in (("b-1", events), ("a-1", events[:1]), ("a-1", [*events, *made(1)]), ("c-1", events[1:])):
            for other in (ANY, 1) if stream != "c-1" else (ANY, 0):
                with pytest.raises(DuplicateEventError):
                    await call.append(stream, wrong, other)
        assert await call.versions("a-1") == 4
        assert await call.versions("b-1") == 1

    play(door, scenario, unique_event_ids=True)


def test_equal_ids_in_one_call_are_refused(door: Door) -> None:
    async def scenario(call: Caller) -> None:
        event = NewEvent("Made", {}, None, uuid4())
        with pytest.raises(ValueError, match="stands twice"):
            await call.append("a-1", [event, event], ANY)
        with pytest.raises(ValueError, match="stands twice"):
            await call("append_batch", [StreamAppend("a-1", [event], ANY), StreamAppend("b-1", [event], ANY)])

    play(door, scenario)
