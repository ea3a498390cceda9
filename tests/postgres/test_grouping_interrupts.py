"""Ctrl-C at every moment of an append that goes in a group: no lane is kept, and nobody waits for who has gone."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from mink_core import ExpectedVersion
from mink_postgres import PostgresEventStore
from tests.interrupts import interrupted
from tests.postgres.grouped import always_grouped, made
from tests.postgres.test_lease_interrupts import settled

ANY, NONE = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM


def is_idle(store: PostgresEventStore) -> bool:
    grouping: Any = store._grouping
    planner = grouping._planner
    return not (planner.lanes or planner._ready or planner._busy or planner._behind or store.pool_status()["used"])


def test_no_lane_is_kept(postgres_url: str, schema: str) -> None:
    with PostgresEventStore(postgres_url, schema=schema, min_size=2, max_size=2, pool_timeout=10) as store:
        store.initialize()
        always_grouped(store)
        moment = 0
        while True:
            moment += 1
            was_interrupted = interrupted(lambda: store.append("a-1", made(), expected_version=ANY), moment)
            assert settled(lambda: is_idle(store)), moment
            store.append("a-1", made(), expected_version=ANY)
            if not was_interrupted:
                break
        assert moment > 20


def test_what_waits_behind_others_is_not_sent_any_more(postgres_url: str, schema: str) -> None:
    """Interrupted while another group has its stream: it is left out, and the thread that waited for it ends."""
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1) as store:
        store.initialize()
        always_grouped(store)
        store.append("slow-1", made(), expected_version=NONE)
        threads = threading.active_count()
        backend: Any = store._backend
        fetch, gate = backend.fetch, threading.Event()

        def slow(connection: Any, query: Any) -> Any:
            assert gate.wait(60)
            return fetch(connection, query)

        backend.fetch = slow
        planner: Any = store._grouping._planner  # type: ignore[union-attr]
        first = threading.Thread(target=lambda: store.append("slow-1", made(), expected_version=1))
        first.start()
        assert settled(lambda: "slow-1" in planner._busy)

        def interrupt() -> None:
            assert settled(lambda: bool(planner._ready or planner._behind))
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            while not caught.wait(2):  # CPython sleeps over one that comes between its last look and a lock's wait
                signal.pthread_kill(main, signal.SIGINT)

        caught = threading.Event()
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
        try:
            threading.Thread(target=interrupt).start()
            with pytest.raises(KeyboardInterrupt):
                store.append("slow-1", made(), expected_version=ANY)
        finally:
            caught.set()
            signal.signal(signal.SIGINT, before)
        gate.set()
        first.join(60)
        assert settled(lambda: is_idle(store))
        assert settled(lambda: threading.active_count() == threads)
        assert store.stream_info("slow-1").version == 2
