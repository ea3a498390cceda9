"""One NATS server for the whole run, and a store of its own for each test."""

from __future__ import annotations

import gc
import os
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mink_jetstream import JetStreamEventStore
from mink_jetstream.server import ServerUnavailableError, nats_for_tests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """A server, without a store."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(nats_for_tests())
        except ServerUnavailableError as error:
            if os.environ.get("MINK_REQUIRE_NATS") == "1":
                raise
            pytest.skip(str(error))
        yield server.url


@pytest.fixture
def url(nats_url: str) -> str:
    """A store that is not there yet."""
    return f"{nats_url}/test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store(url: str) -> Iterator[JetStreamEventStore]:
    """A store, open and initialized."""
    with JetStreamEventStore(url) as opened:
        opened.initialize()
        yield opened


@pytest.fixture
def _collected() -> Iterator[None]:
    """What the test leaves to the garbage collector is found now, and not in another test."""
    yield
    gc.collect()
