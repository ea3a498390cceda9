"""Appends with messages share commits like others, each with an answer of its own (OUTBOX-01)."""

from __future__ import annotations

import asyncio
from typing import Any

from mink_core import (
    AppendResult,
    ConcurrencyError,
    DuplicateMessageError,
    ExpectedVersion,
    NewEvent,
    OutboxMessage,
    open_async_store,
)
from mink_postgres.grouping import async_runner
from tests.adapters.doors import together

ANY = ExpectedVersion.ANY


def message(number: int) -> OutboxMessage:
    return OutboxMessage("t", number, ordered=True)


def test_each_caller_of_a_group_has_its_own_messages(postgres_url: str, schema: str, monkeypatch: Any) -> None:
    groups: list[int] = []
    real = async_runner.append_group

    def counted(context: Any, items: Any, array: Any) -> Any:
        groups.append(sum(bool(item.messages) for item in items))
        return real(context, items, array)

    monkeypatch.setattr(async_runner, "append_group", counted)

    async def work() -> Any:
        url = f"{postgres_url.replace('postgresql:', 'postgresql+asyncpg:')}?schema={schema}"
        async with open_async_store(url) as store:
            await store.initialize()
            known, first = message(-1), [NewEvent("Made", 0)]
            repeated = await store.append("first-1", first, expected_version=0, outbox=[known])
            await store.append("taken-1", [NewEvent("Made", 0)], expected_version=0)
            calls = [
                store.append(f"a-{n % 20}", [NewEvent("Made", n)], expected_version=ANY, outbox=[message(n)])
                for n in range(100)
            ]
            calls.append(store.append("b-1", [NewEvent("Made", 0)], expected_version=ANY, outbox=[known, message(500)]))
            calls.append(store.append("first-1", first, expected_version=0, outbox=[known]))
            calls.append(store.append("taken-1", [NewEvent("Made", 0)], expected_version=7, outbox=[message(501)]))
            *plain, duplicate, again, conflict = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, AppendResult) for result in plain), plain
            assert isinstance(duplicate, DuplicateMessageError)
            assert duplicate.message_id == known.message_id
            assert again == repeated
            assert isinstance(conflict, ConcurrencyError)
            by_id = {event.event_id: event async for event in store.read_all()}
            stored = await store.outbox.list(limit=1000)
            assert sorted(found.payload for found in stored) == [-1, *range(100)]
            for found in stored:
                if found.payload >= 0:
                    event = by_id[found.event_id]
                    assert (event.stream_id, event.data) == (found.stream_id, found.payload)
            # The order of messages is that of their events, stream by stream.
            for name in {str(found.stream_id) for found in stored if found.payload >= 0}:
                told = [found.payload for found in stored if found.stream_id == name]
                assert told == [event.data async for event in store.read_stream(name)]
            return [info.stream_id async for info in store.streams(category="b")]

    assert asyncio.run(work()) == []
    assert sum(groups) >= 10, groups


def test_by_threads(store: Any) -> None:
    calls = [
        lambda n=n: store.append(f"a-{n % 5}", [NewEvent("Made", n)], expected_version=ANY, outbox=[message(n)])
        for n in range(40)
    ]
    results = together(calls)
    assert all(isinstance(result, AppendResult) for result in results), results
    assert sorted(found.payload for found in store.outbox.list()) == list(range(40))
