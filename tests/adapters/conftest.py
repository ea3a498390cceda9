"""A door to each adapter, on data of the test's own, and two stores to move one into the other."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from mink_core import Store, open_store
from mink_core.registry import open_administration
from tests.adapters.doors import DOORS, Door
from tests.adapters.moving import fill

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    name = request.param
    if name.startswith("memory"):
        url = f"memory://{uuid.uuid4().hex}"
    else:
        base, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("schema")
        url = f"{base}?schema={schema}"
    return Door(name, lambda: url)


@pytest.fixture
def source() -> Iterator[Store]:
    """A store in memory that is filled."""
    with open_store(f"memory://{uuid.uuid4().hex}") as store:
        store.initialize()
        fill(store)
        yield store


@pytest.fixture
def target(postgres_url: str, schema: str) -> str:
    """The URL of an empty store in PostgreSQL."""
    url = f"{postgres_url}?schema={schema}&min_size=1"
    with open_administration(url) as administration:
        administration.migrate()
    return url


@pytest.fixture(autouse=True)
def _storage_is_slow_and_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends waits a moment only for its last save; on a busy machine that would be lost, as it may be."""
    monkeypatch.setattr("mink_core.runtime.supervisor._PATIENCE", 30.0)
