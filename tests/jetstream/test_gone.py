"""A store that somebody has deleted beside its users: they are told so, and not that nobody leads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import nats
import pytest

from mink_core import ExpectedVersion, SchemaError, StreamAppend, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore
from mink_jetstream.requester import Requester
from mink_jetstream.requests import UnreachableError
from tests.jetstream.made import events

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY
WAYS: dict[str, Callable[[Any], Any]] = {
    "as it is remembered": lambda store: store.append("a-1", events(), expected_version=1),
    "under any version": lambda store: store.append("a-1", events(), expected_version=ANY),
    "a new stream": lambda store: store.append("b-1", events(), expected_version=0),
    "several events": lambda store: store.append("b-1", events(3), expected_version=0),
    "a batch": lambda store: store.append_batch([StreamAppend("b-1", events(), 0), StreamAppend("c-1", events(), 0)]),
}


def delete(url: str) -> None:
    async def run() -> None:
        server, _, name = url.rpartition("/")
        client = await nats.connect(server)
        await client.jetstream().delete_stream(f"MINK_{name}")
        await client.close()

    asyncio.run(run())


@pytest.mark.parametrize("way", WAYS)
def test_an_append_is_told(store: JetStreamEventStore, url: str, way: str) -> None:
    store.append("a-1", events(), expected_version=0)
    delete(url)
    with pytest.raises(SchemaError, match="is not there"):
        WAYS[way](store)
    store.initialize()
    assert store.append("new-1", events(), expected_version=0).last_version == 1


def test_each_of_many_callers_is_told(store: JetStreamEventStore, url: str) -> None:
    async def run() -> list[Any]:
        async with AsyncJetStreamEventStore(url) as opened:
            await opened.append("a-1", events(), expected_version=0)
            await asyncio.to_thread(delete, url)
            calls = [opened.append(f"b-{number}", events(), expected_version=0) for number in range(100)]
            return await asyncio.gather(*calls, return_exceptions=True)

    assert {type(told) for told in asyncio.run(run())} == {SchemaError}


def test_a_store_that_nobody_leads_is_not_told_to_be_gone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with JetStreamEventStore(url, timeout=1) as store:
        store.initialize()

        async def nobody(*_: Any) -> Any:
            raise UnreachableError("nobody answers")

        monkeypatch.setattr(Requester, "batch", nobody)
        with pytest.raises(TransientStorageError, match="no leader"):
            store.append("a-1", events(), expected_version=0)
        monkeypatch.setattr(Requester, "request", nobody)
        with pytest.raises(TransientStorageError, match="no leader"):
            store.append("a-1", events(), expected_version=0)
