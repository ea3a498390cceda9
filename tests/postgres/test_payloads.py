"""A store in use whose payloads become `json`, or `jsonb` again: without a loss, and with all that it had."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from mink_core import Capability, DuplicateEventError, EventFilter, ExpectedVersion, NewEvent, SchemaError
from mink_core.administration import Access, Level, PayloadsChanged
from mink_core.registry import open_administration
from mink_postgres import PostgresEventStore
from mink_postgres import administration as module
from mink_postgres.programs import moving
from tests.adapters.moving import event
from tests.postgres.changing import WAYS, changed, filled, opened, types
from tests.postgres.loads import Follower, Load
from tests.postgres.readers import StoreReader
from tests.postgres.test_migrations import catalog, raw

if TYPE_CHECKING:
    pass

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
        for number in range(40):
            store.append(f"old-{number}", [NewEvent("Old", n) for n in range(50)], expected_version=ANY)
        identity = store.identity()
        reader = StoreReader(PostgresEventStore(postgres_url, schema=schema, min_size=1, **asked))
        loads = [Load(store, number) for number in range(3)]
        follower = Follower(store)
        for thread in (*loads, follower):
            thread.start()
        rewritten: list[str] = []

        def rewrite(_done: int, _mark: int) -> None:
            # In the middle of the copy: what is copied already must not keep what was taken away.
            if not rewritten:
                store.privacy.redact("old-1", 1, data="gone", by="test")
                store.privacy.purge("old-2", up_to_version=10, by="test")
                rewritten.append("done")
            reader.poll()

        done = changed(postgres_url, schema, after, rewrite)
        time.sleep(0.3)
        for load in loads:
            load.stopping.set()
        for load in loads:
            load.join()
        assert [load.error for load in loads] == [None] * 3
        acknowledged = sorted(it for load in loads for it in load.acknowledged)
        last = store.head_position()
        follower.wait_for(last)
        while reader.poll():
            pass
        assert (done.json_type, done.changed) == (after, True)
        assert types(postgres_url, schema) == {after}
        events = list(store.read_all())
        positions = [it.global_position for it in events]
        live = [(it.global_position, it.stream_id, it.version) for it in events if it.event_type == "Live"]
        assert live == acknowledged
        # Each of them once, and in order; what was purged meanwhile some had seen before.
        for seen in (reader.seen, follower.seen):
            assert seen == sorted(set(seen))
            assert set(seen) >= set(positions)
            assert len(set(seen) - set(positions)) <= 10
        assert follower.error is None
        assert len(events) == 2000 - 10 + len(acknowledged)
        assert next(iter(store.read_stream("old-1"))).data == "gone"
        assert [it.version for it in store.read_stream("old-2")] == list(range(11, 51))
        assert store.identity() == identity
        assert store.check() == []
        assert rewritten
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
    print(f"\n{done}; the longest append and read took {max(load.longest for load in loads):.2f} s")


@pytest.mark.parametrize("options", [{}, {"hash_partitions": 2}, {"unique_event_ids": True}])
def test_there_and_back_it_is_the_same_schema(postgres_url: str, schema: str, options: dict[str, Any]) -> None:
    """But for the functions that take json, which stores that were open go on calling."""
    with opened(postgres_url, schema, **options) as store:
        filled(store, 2)
    made = catalog(postgres_url, schema)
    changed(postgres_url, schema, "json")
    between = catalog(postgres_url, schema)
    changed(postgres_url, schema, "jsonb")
    back = catalog(postgres_url, schema)
    assert between != made
    functions = 3
    left = set(back[functions]) - set(made[functions])
    assert {text for (text,) in left} == {text for (text,) in between[functions] if "p_data json" in text} - {
        text for (text,) in made[functions]
    }
    assert len(left) == 4
    back[functions] = [it for it in back[functions] if it not in left]
    assert back == made
    assert changed(postgres_url, schema, "json").copied == 20
    again = catalog(postgres_url, schema)
    assert again == between


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


def test_privileges_go_along(postgres_url: str, admin_in_test_database: str, schema: str) -> None:
    """Also to functions, which here are nobody's by default, as in databases that revoke them from PUBLIC."""
    role = f"writer_of_{schema}"
    place = conninfo_to_dict(admin_in_test_database)
    login = ":".join(quote(str(place[key]), safe="") for key in ("user", "password") if place.get(key))
    superuser = f"postgresql://{login}@{quote(str(place['host']), safe='')}:{place['port']}/{place['dbname']}"
    with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    try:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
        with opened(postgres_url, schema, json_type="jsonb") as store:
            filled(store, 1)
        with open_administration(f"{postgres_url}?schema={schema}") as administration:
            administration.grant(role, [Access.WRITER])
        theirs = psycopg.conninfo.make_conninfo(postgres_url, user=role)
        for number, json_type in enumerate(("json", "jsonb")):
            # By a superuser: what it makes is the owner's all the same.
            changed(superuser, schema, json_type)
            with psycopg.connect(theirs) as writer, PostgresEventStore(connection=writer, schema=schema) as store:
                store.append("s-1", [NewEvent("Made", 2)], expected_version=number)
                writer.commit()
                for statement in (
                    f"INSERT INTO \"{schema}\".events (global_position, stream_id, version) VALUES (99, 's-9', 1)",
                    f"UPDATE \"{schema}\".events SET data = '2'",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        writer.execute(statement)
                    writer.rollback()
        owners = raw(
            postgres_url, schema, "SELECT DISTINCT proowner FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace"
        )
        assert len(owners) == 1
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as owner:
            owner.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
        with psycopg.connect(admin_in_test_database, autocommit=True) as admin:
            admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("partitions", [0, 2])
@pytest.mark.parametrize(("before", "after"), WAYS, ids=["to json", "to jsonb"])
def test_how_large_values_are_kept_stays(
    postgres_url: str, schema: str, before: str, after: str, partitions: int
) -> None:
    with opened(postgres_url, schema, json_type=before, hash_partitions=partitions) as store:
        filled(store, 2)
    if partitions:
        raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN metadata SET STORAGE EXTERNAL")
    else:
        raw(postgres_url, schema, "ALTER TABLE {schema}.events ALTER COLUMN metadata SET COMPRESSION pglz")
    asked = (
        "SELECT c.relname, a.attname, a.attcompression, a.attstorage FROM pg_attribute AS a JOIN pg_class AS c "
        "ON c.oid = a.attrelid WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND c.relname LIKE 'events%' AND a.attname IN ('data', 'metadata') ORDER BY 1, 2"
    )
    made = raw(postgres_url, schema, asked)
    changed(postgres_url, schema, after)
    assert raw(postgres_url, schema, asked) == made


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
