"""What is stored is UTF-8. The store's own sessions send it so; a caller's connection may speak what cannot write it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, UsageError, open_store
from mink_core.registry import open_administration
from mink_core.transfer.digests import canonical
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from tests.adapters.doors import Door
from tests.postgres.grouped import all_at_once, all_at_once_async, always_grouped

ANY = ExpectedVersion.ANY


def made(number: int = 1) -> NewEvent:
    return NewEvent("Gemüse😀", {"😀": "ü", "n": number}, metadata={"ß": "😀"})


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252", "UTF8"])
@pytest.mark.parametrize("by", ["URL", "environment"])
def test_whatever_a_session_is_asked_for_any_text_is_stored(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch, encoding: str, by: str
) -> None:
    url = f"{postgres_url}?schema={schema}"
    if by == "URL":
        url += f"&client_encoding={encoding}"
    else:
        monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with open_administration(url) as administration, open_store(url) as store:
        administration.migrate()
        store.append("käse😀-1", [made()], expected_version=0)
        store.append("käse😀-1", [made(), made()], expected_version=1)
        all_at_once(always_grouped(store), [(f"käse😀-{n}", [made(n)], ANY) for n in range(2, 5)])
        one = next(iter(store.read_stream("käse😀-1")))
        imported = msgspec.structs.replace(one, stream_id="ö😀-1", event_id=uuid4())
        assert administration.import_events([imported]) == 1
        assert administration.import_events([imported]) == 0
        found = list(store.read_all())
        assert sorted(it.stream_id for it in found) == [*["käse😀-1"] * 3, "käse😀-2", "käse😀-3", "käse😀-4", "ö😀-1"]
        assert {(it.event_type, it.data["😀"], it.metadata["ß"]) for it in found} == {("Gemüse😀", "ü", "😀")}
        assert canonical(found[-1]) == canonical(imported)


@pytest.mark.parametrize("driver", ["psycopg async", "asyncpg"])
def test_the_async_drivers_do(postgres_url: str, schema: str, driver: str) -> None:
    async def play(store: Any) -> list[Any]:
        await store.append("käse😀-1", [made()], expected_version=0)
        await all_at_once_async(always_grouped(store), [(f"käse😀-{n}", [made(n)], ANY) for n in range(2, 5)])
        return [(it.event_type, it.data["😀"], it.metadata["ß"]) async for it in store.read_all()]

    door = Door(driver, lambda: f"{postgres_url}?schema={schema}&client_encoding=LATIN1")
    assert door.run(play) == [("Gemüse😀", "ü", "😀")] * 4


def test_a_connection_that_cannot_write_it_is_told(postgres_url: str, schema: str, store: PostgresEventStore) -> None:
    """Nothing is sent, and the caller's transaction goes on."""
    with psycopg.connect(postgres_url, client_encoding="latin1") as connection:
        bound = PostgresEventStore(connection=connection, schema=schema)
        with connection.transaction():
            for call in (
                lambda: bound.append("a-😀", [NewEvent("Made", 1)], expected_version=ANY),
                lambda: bound.append("a-1", [NewEvent("Made", "😀")], expected_version=ANY),
                lambda: bound.append("a-1", [NewEvent("Made", "😀"), NewEvent("Made", 1)], expected_version=ANY),
                lambda: list(bound.read_stream("a-😀")),
            ):
                with pytest.raises(UsageError, match=r"client_encoding .*'😀'.*nothing was sent"):
                    call()
            bound.append("é-1", [NewEvent("Made", "ü")], expected_version=0)
    assert [(it.stream_id, it.data) for it in store.read_all()] == [("é-1", "ü")]


def test_an_async_connection_that_cannot_write_it_is_told(
    postgres_url: str, schema: str, store: PostgresEventStore
) -> None:
    async def play() -> None:
        connection = await psycopg.AsyncConnection.connect(postgres_url, client_encoding="latin1")
        async with connection, connection.transaction():
            bound = AsyncPostgresEventStore(connection=connection, schema=schema)
            with pytest.raises(UsageError, match="client_encoding"):
                await bound.append("a-😀", [NewEvent("Made", 1)], expected_version=ANY)
            await bound.append("é-1", [NewEvent("Made", "ü")], expected_version=0)

    asyncio.run(play())
    assert [(it.stream_id, it.data) for it in store.read_all()] == [("é-1", "ü")]
