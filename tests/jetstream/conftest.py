"""One NATS server for the whole run, and a store of its own for each test."""

from __future__ import annotations

import gc
import os
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mink_core import NewEvent
from mink_jetstream import JetStreamEventStore
from mink_jetstream.server import ServerUnavailableError, nats_for_tests
from tests.jetstream.pretended import pretend_copies
from tests.jetstream.storing import Storing

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


@pytest.fixture(params=[1, 3], ids=["one copy", "three copies"])
def storing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storing:
    """Whatever the server says, there are so many copies."""
    pretend_copies(monkeypatch, alone=request.param == 1)
    return Storing(monkeypatch)


@pytest.fixture
def reader(store: JetStreamEventStore, url: str) -> Iterator[JetStreamEventStore]:
    """Another store, that has appended nothing, in use already."""
    with JetStreamEventStore(url) as other:
        other.poll(0)
        yield other


@pytest.fixture
def replicated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the server says, there are several copies."""
    pretend_copies(monkeypatch)


@pytest.fixture
def three(replicated: None, store: JetStreamEventStore) -> JetStreamEventStore:
    """A store that has appended three events itself."""
    for number in range(3):
        store.append("order-1", [NewEvent("Placed", number)], expected_version=number)
    return store
