"""Stores whose payloads are made another type, and what a database says of them."""

from __future__ import annotations

from typing import Any

from mink_core import ExpectedVersion, NewEvent
from mink_core.administration import PayloadsChanged
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from tests.postgres.test_json_columns import TYPES
from tests.postgres.test_migrations import raw

ANY = ExpectedVersion.ANY
WAYS = [("jsonb", "json"), ("json", "jsonb")]


def changed(url: str, schema: str, json_type: str, progress: Any = None) -> PayloadsChanged:
    with open_administration(f"{url}?schema={schema}") as administration:
        return administration.change_payloads(json_type, progress)


def opened(url: str, schema: str, **options: Any) -> PostgresEventStore:
    store = PostgresEventStore(url, schema=schema, min_size=1, privacy=True, **options)
    store.initialize()
    return store


def types(url: str, schema: str) -> set[str]:
    return {kind for _, kind in raw(url, schema, TYPES.replace("{name}", schema))}


def filled(store: PostgresEventStore, count: int) -> None:
    for number in range(count):
        store.append(f"s-{number}", [NewEvent("Made", n) for n in range(10)], expected_version=ANY)
