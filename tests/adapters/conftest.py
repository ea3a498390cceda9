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
