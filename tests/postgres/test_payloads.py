"""A store in use whose payloads become `json`, or `jsonb` again: without a loss, and with all that it had."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from mink_core import Capability, DuplicateEventError, EventFilter, ExpectedVersion, NewEvent, SchemaError
from mink_core.administration import Level, PayloadsChanged
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres import administration as module
from mink_postgres.programs import moving
from tests.adapters.moving import event
from tests.postgres.changing import WAYS, changed, filled, opened, types
from tests.postgres.loads import Follower, InUse
from tests.postgres.readers import StoreReader
from tests.postgres.test_migrations import raw

ANY = ExpectedVersion.ANY


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "CHUNK", 10)


@pytest.mark.usefixtures("durable")
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
@pytest.mark.parametrize("layout", ["one table", "partitions", "unique ids"])
def test_a_store_in_use_is_changed_without_a_loss(
    postgres_url: str, schema: str, before: str, after: str, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 500)
    options: dict[str, Any] = {
        "one table": {},
        "partitions": {"hash_partitions": 3},
        "unique ids": {"unique_event_ids": True},
    }[layout]
    asked = {} if layout == "partitions" else options
    with opened(postgres_url, schema, json_type=before, **options) as store:
        identity = store.identity()
        reader = StoreReader(PostgresEventStore(postgres_url, schema=schema, min_size=1, **asked))
        use, follower = InUse(store, reader), Follower(store)
        follower.start()
        done = changed(postgres_url, schema, after, use.rewrite)
        use.end()
        last = store.head_position()
        follower.wait_for(last)
        assert (done.json_type, done.changed) == (after, True)
        assert types(postgres_url, schema) == {after}
        positions = use.check()
        # It was told each once, and in order; what was purged meanwhile it may have seen before.
        assert follower.error is None
        assert follower.seen == sorted(set(follower.seen))
        assert set(follower.seen) >= set(positions)
        assert len(set(follower.seen) - set(positions)) <= 10
        assert store.identity() == identity
    reader.close()
    with (
        opened(postgres_url, schema, **asked) as again,
        open_administration(f"{postgres_url}?schema={schema}") as administration,
    ):
        assert again.identity() == identity
        assert again.append("new-1", [NewEvent("Made", {})], expected_version=0).first_position > last
        assert [it for it in administration.diagnose() if it.level is Level.CRITICAL] == []
        assert administration.change_payloads(after) == PayloadsChanged(after, False, 0, 0, 0.0)
        assert (Capability.UNIQUE_EVENT_IDS in again.capabilities) == (layout == "unique ids")
    parts = raw(postgres_url, schema, "SELECT count(*) FROM pg_inherits WHERE inhparent = '{schema}.events'::regclass")
    assert parts == [(3 if layout == "partitions" else 0,)]
    print(f"\n{done}; {use}")


def test_unique_ids_stay_unique(postgres_url: str, schema: str, small_pieces: None) -> None:
    """Also where the id of an event that was copied and then purged is used again before the copy comes to it."""
    with opened(postgres_url, schema, unique_event_ids=True) as store:
        filled(store, 3)
        freed = next(store.read_stream("s-0")).event_id
        acts = iter([
            lambda: store.privacy.purge("s-0", by="test"),
            lambda: store.append("t-1", [NewEvent("Made", 1, event_id=freed)], expected_version=0),
        ])  # fmt: skip

        def act(_done: int, _mark: int) -> None:
            next(acts, lambda: None)()

        done = changed(postgres_url, schema, "json", act)
        # It is copied by a later piece, not under the lock.
        assert (done.copied, done.copied_under_lock) == (31, 0)
        with pytest.raises(DuplicateEventError):
            store.append("t-2", [NewEvent("Made", 1, event_id=freed)], expected_version=0)
        assert len(list(store.read_all())) == 21


@pytest.mark.parametrize("made_meanwhile", [True, False])
def test_an_index_of_ids_that_comes_or_goes_meanwhile(postgres_url: str, schema: str, made_meanwhile: bool) -> None:
    with opened(postgres_url, schema, unique_event_ids=not made_meanwhile) as store:
        filled(store, 1)
    statement = (
        "CREATE UNIQUE INDEX idx_events_event_id ON {schema}.events (event_id)"
        if made_meanwhile
        else "DROP INDEX {schema}.idx_events_event_id"
    )
    with pytest.raises(SchemaError, match=r"laid out otherwise.*nothing was changed: run the command again"):
        changed(postgres_url, schema, "json", lambda _done, _mark: raw(postgres_url, schema, statement))
    assert types(postgres_url, schema) == {"jsonb"}
    assert changed(postgres_url, schema, "json").changed
    with opened(postgres_url, schema, unique_event_ids=made_meanwhile) as store:
        assert len(list(store.read_all())) == 10
    found = raw(postgres_url, schema, "SELECT to_regclass('{schema}.idx_events_event_id') IS NOT NULL")
    assert found == [(made_meanwhile,)]


def test_an_append_that_is_not_over_is_not_passed(postgres_url: str, schema: str, small_pieces: None) -> None:
    """Its position is below those that are copied meanwhile."""
    with opened(postgres_url, schema) as store:
        filled(store, 1)
        with store.transaction() as tx:
            tx.append("slow-1", [NewEvent("Made", "slow")], expected_version=0)
            for number in range(3):
                store.append(f"t-{number}", [NewEvent("Made", n) for n in range(10)], expected_version=0)
            ended = threading.Event()
            # Whoever has gone past it waits until it is there.
            changing = threading.Thread(
                target=lambda: changed(postgres_url, schema, "json", lambda done, _mark: done > 11 and ended.wait(60))
            )
            changing.start()
            time.sleep(0.5)
        ended.set()
        changing.join()
        assert types(postgres_url, schema) == {"json"}
        assert [it.data for it in store.read_stream("slow-1")] == ["slow"]
        assert len(list(store.read_all())) == 41


def test_a_stream_that_is_rewritten_and_goes_on(
    postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its events some are copied before, and some under the lock: each is there once."""
    inner = moving.finish
    with opened(postgres_url, schema) as store:
        filled(store, 2)

        def late(*arguments: Any) -> Any:
            store.privacy.redact("s-1", 1, data="gone", by="test")
            store.append("s-1", [NewEvent("Made", "late")], expected_version=10)
            return inner(*arguments)

        monkeypatch.setattr(moving, "finish", late)
        done = changed(postgres_url, schema, "json")
        assert (done.copied, done.copied_under_lock) == (21, 1)
        assert [it.data for it in store.read_stream("s-1")] == ["gone", *range(1, 10), "late"]


def test_an_import_in_flight_is_waited_for(postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends what one of the types takes: the type must not change under it."""
    with opened(postgres_url, schema) as store:
        filled(store, 1)
    changing: list[threading.Thread] = []
    ended: list[Any] = []
    inner = module.import_events

    def slow(*arguments: Any) -> int:
        if not changing:
            changing.append(
                threading.Thread(target=lambda: ended.append(changed(postgres_url, schema, "json").changed))
            )
            changing[0].start()
            asked = "SELECT 1 FROM pg_locks WHERE relation = '{schema}.events'::regclass AND NOT granted"
            end = time.monotonic() + 60
            while not ended and not raw(postgres_url, schema, asked):
                assert time.monotonic() < end
                time.sleep(0.01)
        return inner(*arguments)

    monkeypatch.setattr(module, "import_events", slow)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        assert administration.import_events([event(1, stream_id="b-1", data={"a": [1.0]})]) == 1
        changing[0].join()
        assert ended == [True]
        assert administration.import_events([event(2, stream_id="b-1", data={"a": [1.0]})]) == 1
    with opened(postgres_url, schema) as store:
        found = store.read_all(where=EventFilter(stream_ids=("b-1",)))
        assert [it.data for it in found] == [{"a": [1.0]}] * 2
