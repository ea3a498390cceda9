"""The kit's hooks for PostgreSQL: they hold and break what they say, and the checks that use them reject what is wrong."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import AppendResult, ExpectedVersion, NewEvent, OutcomeUnknownError, TransientStorageError
from mink_core.testing import Fault
from mink_postgres import AsyncPostgresEventStore, PostgresEventStore
from mink_postgres.testing import commit_gate, fault_injector
from tests.histories.catching import checks_of, failure
from tests.postgres.broken import CAUGHT_BY, PlainCursor
from tests.postgres.readers import PLAIN, SqlReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mink_postgres.testing import PostgresFaultInjector

ANY = ExpectedVersion.ANY


def opener(kind: type[Any], url: str, made: list[str], **options: Any) -> Callable[[str], Any]:
    """Opens stores of a class for the kit, a schema a namespace."""

    def opened(namespace: str) -> Any:
        made.append(namespace)
        return kind(url, schema=namespace, min_size=0, max_size=8, **options)

    return opened


@pytest.fixture
def made(postgres_url: str) -> Iterator[list[str]]:
    """The namespaces that a test made; dropped after it."""
    names: list[str] = []
    yield names
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in set(names):
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'.encode())


def test_the_gate_holds_an_append_until_it_is_released(
    postgres_url: str, schema: str, store: PostgresEventStore
) -> None:
    """Positions are allocated and nothing is committed: a plain cursor skips, the store's own poll waits."""
    gate = commit_gate(store)
    assert gate is not None
    gate.hold("held-1")
    results: list[AppendResult] = []
    event = [NewEvent("Made", {})]
    held = threading.Thread(target=lambda: results.append(store.append("held-1", event, expected_version=0)))
    held.start()
    while not gate.held("held-1"):
        time.sleep(0.001)
    above = store.append("free-1", [NewEvent("Made", {})], expected_version=0)
    plain = SqlReader(postgres_url, schema, PLAIN)
    plain.poll()
    assert store.poll(0).events == []
    time.sleep(0.05)
    assert held.is_alive()
    assert gate.held("held-1") == 1
    gate.release("held-1")
    held.join(60)
    plain.poll()
    plain.close()
    (result,) = results
    assert result.first_position < above.first_position
    assert plain.seen == [above.first_position]
    assert [event.global_position for event in store.poll(0).events] == [result.first_position, above.first_position]
    # What is not held, or no longer, commits at once.
    assert store.append("held-1", [NewEvent("Made", {})], expected_version=1).last_version == 2
    gate.close()


def test_the_gate_outlasts_the_stores_lock_timeout_and_leaves_nothing(postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, lock_timeout=0.1) as store:
        store.initialize()
        before = _objects(postgres_url, schema)
        gate = commit_gate(store)
        assert gate is not None
        assert _objects(postgres_url, schema) > before
        gate.hold("held-1")
        append = partial(store.append, "held-1", [NewEvent("Made", {})], expected_version=0)
        held = threading.Thread(target=append)
        held.start()
        time.sleep(0.4)
        assert gate.held("held-1") == 1
        gate.close()
        held.join(60)
        assert store.stream_info("held-1").version == 1
        assert _objects(postgres_url, schema) == before
        assert store.check() == []


def _objects(url: str, schema: str) -> set[tuple[str, str]]:
    """Tables, functions and triggers of a schema."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT 'relation', relname::text FROM pg_class WHERE relnamespace = %(s)s::regnamespace UNION ALL "
            "SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = %(s)s::regnamespace UNION ALL "
            "SELECT 'trigger', tgname::text FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid "
            "WHERE c.relnamespace = %(s)s::regnamespace",
            {"s": schema},
        )
        return {(kind, name) for kind, name in rows.fetchall()}


@pytest.fixture
def injector(store: PostgresEventStore) -> Iterator[PostgresFaultInjector]:
    found = fault_injector(store)
    assert found is not None
    yield found
    found.close()


def test_a_connection_is_cut_before_or_after_the_commit(
    store: PostgresEventStore, injector: PostgresFaultInjector
) -> None:
    with injector.open() as broken:
        for number, fault in enumerate(Fault):
            injector.arm(fault, f"cut-{number}")
            with pytest.raises((OutcomeUnknownError, TransientStorageError)):
                broken.append(f"cut-{number}", [NewEvent("Made", {})], expected_version=0)
            assert injector.struck() == number + 1
            assert len(list(store.read_stream(f"cut-{number}"))) == (fault is Fault.CUT_AFTER)
        # Only the one request that was chosen is cut.
        assert broken.append("cut-9", [NewEvent("Made", {})], expected_version=0).last_version == 1


def test_all_sessions_of_the_store_are_ended_and_no_others(
    store: PostgresEventStore, injector: PostgresFaultInjector
) -> None:
    with injector.open() as broken:
        broken.ping()
        assert injector.end_sessions() >= 1
        store.ping()
        with pytest.raises((OutcomeUnknownError, TransientStorageError)):
            broken.ping()
        broken.ping()


@pytest.mark.parametrize("seed", range(3))
def test_a_plain_cursor_is_caught_every_time(postgres_url: str, made: list[str], seed: int) -> None:
    (check,) = checks_of("commits_out_of_order_are_read_in_order")
    error = failure(check, opener(PlainCursor, postgres_url, made), seed)
    assert error is not None
    assert error.what.startswith("FEED-0")


@pytest.mark.parametrize("twin", CAUGHT_BY, ids=lambda twin: twin.__name__)
def test_a_twin_is_caught_by_the_fault_that_shows_it(postgres_url: str, made: list[str], twin: type[Any]) -> None:
    (check,) = checks_of(CAUGHT_BY[twin])
    error = failure(check, opener(twin, postgres_url, made), seed=0)
    assert error is not None


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_the_async_doors_pass_their_faults(postgres_url: str, made: list[str], driver: str) -> None:
    for check in checks_of("an_exact_append*", "a_transaction_is_whole*", "a_cancelled_app*", "what_is*", "a_bound*"):
        error = failure(check, opener(AsyncPostgresEventStore, postgres_url, made, driver=driver), seed=1)
        assert error is None, (check.id, error)
