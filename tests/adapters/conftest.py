"""A door to each adapter, on data of the test's own."""

from __future__ import annotations

import uuid

import pytest

from tests.adapters.doors import DOORS, Door


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    name = request.param
    if name.startswith("memory"):
        url = f"memory://{uuid.uuid4().hex}"
    else:
        base, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("schema")
        url = f"{base}?schema={schema}"
    return Door(name, lambda: url)


@pytest.fixture(autouse=True)
def _storage_is_slow_and_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends waits a moment only for its last save; on a busy machine that would be lost, as it may be."""
    monkeypatch.setattr("mink_core.runtime.supervisor._PATIENCE", 30.0)
