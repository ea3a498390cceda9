"""What can be put to the test, and the sync shape of an async store."""

from __future__ import annotations

import threading
import time

import pytest

from conformance_tests import Lab, target_of
from mink_core import Capability, EventFilter, NewEvent, UsageError, open_namespaces, open_store
from tests.conformance import stores


@pytest.mark.parametrize("spec", ["memory://", "memory://named", "tests.conformance.stores:sound", stores.sound])
def test_namespaces_are_shared_by_name_and_isolated(spec: object) -> None:
    with target_of(spec) as target, Lab(target) as lab:
        one, other, elsewhere = lab.open(), lab.open(), lab.open(lab.namespace())
        one.append("a-1", [NewEvent("Happened", 1)], expected_version=0)
        assert len(list(other.read_stream("a-1"))) == 1
        assert list(elsewhere.read_all()) == []


def test_a_lab_drops_what_it_made() -> None:
    with target_of("memory://kept") as target:
        with Lab(target) as lab:
            here = lab.here
            lab.open().append("a-1", [NewEvent("Happened", 1)], expected_version=0)
        with open_namespaces("memory://kept") as namespaces, open_store(namespaces.url(here)) as store:
            assert list(store.read_all()) == []


def test_schemas_do_not_pile_up(postgres_url: str) -> None:
    import psycopg  # noqa: PLC0415 -- only this test needs a server

    with target_of(postgres_url) as target, Lab(target) as lab:
        here = lab.here
        lab.open().append("a-1", [NewEvent("Happened", 1)], expected_version=0)
        with psycopg.connect(postgres_url) as connection:
            assert connection.execute("SELECT to_regnamespace(%s)", (here,)).fetchone() == (here,)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT to_regnamespace(%s)", (here,)).fetchone() == (None,)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nonsense", "package.module:callable"),
        ("no_such_package.at_all:open", "cannot import"),
        ("tests.conformance.stores:missing", "cannot import"),
        ("tests.conformance.stores:NOT_CALLABLE", "not callable"),
    ],
)
def test_what_is_no_target_is_told(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        target_of(spec)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/db",
        "postgresql://host/db?user=me&password=secret",
        "postgresql://host/db?direct_url=postgresql%3A%2F%2Fme%3Asecret%40host%2Fdb&schema=x",
    ],
)
def test_a_password_is_shown_nowhere(url: str) -> None:
    target = target_of(url)
    assert "secret" not in target.name
    assert target.spec is None


def test_an_async_store_in_sync_shape() -> None:
    with target_of(stores.sound_async) as target, Lab(target) as lab:
        assert lab.is_async
        store = lab.open()
        assert Capability.SUBSCRIBE in store.capabilities
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("Happened", 1)], expected_version=0)
        assert [event.version for event in store.read_stream("a-1")] == [1]
        decided = store.update("a-1", lambda events: [NewEvent("Happened", len(list(store.read_stream("a-1"))))])
        assert decided is not None
        subscription = store.subscribe(poll_interval=60, where=EventFilter(event_types=("None",)))
        closing = threading.Timer(0.1, subscription.close)
        closing.start()
        begun = time.monotonic()
        assert list(subscription) == []
        assert time.monotonic() - begun < 30
        with pytest.raises(KeyError), store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("Happened", 1)], expected_version=2)
            raise KeyError
        assert store.stream_info("a-1").version == 2


def test_waiting_for_the_loop_on_the_loop_is_told() -> None:
    with target_of(stores.sound_async) as target, Lab(target) as lab:
        store = lab.open()

        async def wrong() -> None:
            store.head_position()

        with pytest.raises(RuntimeError, match="portal"):
            lab.run(wrong())
