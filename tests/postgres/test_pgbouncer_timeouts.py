"""Behind PgBouncer, lock time-outs go with each statement and stay in no session."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ExpectedVersion, NewEvent, StreamAppend, TransientStorageError
from mink_postgres import PostgresEventStore
from mink_postgres.backends.pooler import _patient
from mink_postgres.statements import Statements
from tests.postgres.pgbouncer import NEEDED, PgBouncer
from tests.postgres.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = ExpectedVersion.ANY

pytestmark = NEEDED


def waits(store: PostgresEventStore) -> dict[str, Callable[[], object]]:
    """What waits for stream a-1."""

    def in_transaction() -> None:
        with store.transaction() as transaction:
            transaction.append("a-1", [NewEvent("Made", {})], expected_version=ANY)

    def two() -> list[NewEvent]:
        return [NewEvent("Made", {}), NewEvent("Made", {})]

    return {
        "one event": lambda: store.append("a-1", [NewEvent("Made", {})], expected_version=ANY),
        "two events": lambda: store.append("a-1", two(), expected_version=ANY),
        "a batch": lambda: store.append_batch([StreamAppend("a-1", two(), ANY), StreamAppend("b-1", two(), ANY)]),
        "a transaction": in_transaction,
        "privacy": lambda: store.privacy.soft_delete("a-1", by="me"),
    }


def test_lock_time_outs_go_with_each_statement(postgres_url: str, pooled: str, schema: str) -> None:
    options: dict[str, Any] = {"schema": schema, "min_size": 1, "privacy": True, "lock_timeout": 0.2}
    with PostgresEventStore(pooled, transaction_pooler=True, **options) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        blocker = Session(postgres_url, schema)
        blocker.lock("a-1")
        for name, act in waits(store).items():
            began = time.monotonic()
            with pytest.raises(TransientStorageError):
                act()
            assert 0.2 <= time.monotonic() - began < 30, name
        blocker.rollback()
        blocker.connection.close()
        store.append("a-1", [NewEvent("Made", {})], expected_version=1)
    # Nothing of it stays in the sessions that others will get.
    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as other:
        assert {other.execute("SHOW lock_timeout").fetchone() for _ in range(20)} == {("0",)}


def test_a_session_s_time_out_would_be_another_s(postgres_url: str, pooled: str, schema: str) -> None:
    """The broken twin: the time-out is set in whatever session there is, and stays there for whoever comes next."""
    with PgBouncer(postgres_url, pool=1) as own:
        store = PostgresEventStore(own.url(), schema=schema, min_size=1, max_size=1, lock_timeout=0.123)
        with store, psycopg.connect(own.url(), autocommit=True, prepare_threshold=None) as other:
            store.ping()
            assert other.execute("SHOW lock_timeout").fetchone() == ("123ms",)


def test_a_twin_without_them_waits(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, pooled: str, schema: str
) -> None:
    monkeypatch.setattr("mink_postgres.backends.sync_psycopg.patient", lambda query, _: query)
    with PostgresEventStore(pooled, schema=schema, min_size=1, lock_timeout=0.2, transaction_pooler=True) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=0)
        blocker = Session(postgres_url, schema)
        blocker.lock("a-1")
        waiting = threading.Thread(
            target=lambda: store.append("a-1", [NewEvent("Made", {})], expected_version=1), daemon=True
        )
        waiting.start()
        waiting.join(0.8)
        still = waiting.is_alive()
        blocker.rollback()
        blocker.connection.close()
        waiting.join(60)
    assert still


def test_every_statement_can_carry_one(postgres_url: str, pooled: str, schema: str) -> None:
    """The server takes each of them as it is rewritten."""
    texts = {name: text for name, text in vars(Statements(schema)).items() if isinstance(text, str) and "$1::" in text}
    texts = {name: text for name, text in texts.items() if "{" not in text}
    assert len(texts) > 50
    with psycopg.connect(postgres_url, autocommit=True) as direct:
        for name, text in texts.items():
            rewritten = _patient(text, "1234ms")
            assert rewritten.count("set_config('lock_timeout', '1234ms', true)") == 1
            direct.execute(f"PREPARE one AS {rewritten}".encode(), prepare=False)
            direct.execute("DEALLOCATE one")
            assert name
    assert _patient("SELECT 1", "1ms") == "SELECT 1"
