"""A password is in no store's `repr`, and in none of what it is made from: logs and tracebacks show those."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from mink_core import open_async_store, open_store
from mink_core.cli.session import Session
from mink_jetstream.server.locate import RunningServer
from mink_postgres.options import PostgresOptions
from mink_postgres.testing.place import Place

SECRET = "hunter2"
POSTGRES = f"postgresql://ann:{SECRET}@localhost/app"
NATS = f"nats://ann:{SECRET}@localhost/app"


def parts(thing: Any, depth: int = 4) -> list[Any]:
    """What hangs on an object, and what hangs on that."""
    if depth == 0 or not type(thing).__module__.startswith("mink"):
        return []
    names = [*getattr(thing, "__dict__", {}), *getattr(thing, "__struct_fields__", ())]
    if is_dataclass(thing):
        names += [item.name for item in fields(thing)]
    return [thing, *(found for name in names for found in parts(getattr(thing, name), depth - 1))]


@pytest.mark.parametrize(
    "thing",
    [
        open_store(f"{POSTGRES}?direct_url={POSTGRES}"),
        open_async_store(f"{POSTGRES}?direct_url={POSTGRES}"),
        open_async_store(POSTGRES.replace("://", "+asyncpg://")),
        open_store(NATS),
        open_async_store(NATS),
        RunningServer(NATS),
        Place(POSTGRES, PostgresOptions(), "psycopg"),
        Session(POSTGRES),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_no_password_in_a_repr(thing: Any) -> None:
    shown = [repr(part) for part in parts(thing)]
    assert shown
    assert [text for text in shown if SECRET in text] == []
    assert SECRET not in str([*getattr(thing, "__rich_repr__", tuple)()])
