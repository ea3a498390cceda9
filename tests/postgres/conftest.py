"""Stores and hand-driven sessions in the test's own schema."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mink_postgres import PostgresEventStore
from tests.postgres.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def store(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1) as opened:
        opened.initialize()
        yield opened


@pytest.fixture
def session(postgres_url: str, schema: str) -> Iterator[Callable[..., Session]]:
    """Opens sessions by hand; those still open are rolled back at the end."""
    with ExitStack() as stack:

        def opened(url: str = postgres_url, schema: str = schema) -> Session:
            made = Session(url, schema)
            stack.callback(made.connection.close)
            return made

        yield opened
