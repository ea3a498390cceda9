"""Events by binary COPY: what was given is what is read, whatever the session's encoding, and a stream's row fits."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance_tests.model.strategies import metadata, values
from mink_core import DuplicateEventError, ExpectedVersion, NewEvent, StreamTombstonedError, UsageError, open_store
from mink_core.registry import open_administration
from mink_core.transfer.digests import canonical
from mink_postgres import PostgresEventStore
from tests.adapters.moving import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres.roles import Open

_zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_OLDEST, _NEWEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
stamps = st.sampled_from([_OLDEST, _LATEST]) | st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_zones)  # noqa: DTZ001 -- zones are drawn
WAITING = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
names = st.sampled_from(["a", "order-1", "käse", "😀-1", "back\\slash", "x" * 200])


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # each example has streams of its own
@given(st.data())
def test_what_is_imported_is_what_is_read(store: PostgresEventStore, postgres_url: str, schema: str, data: Any) -> None:
    rows = data.draw(st.lists(st.tuples(names, names, values, metadata, stamps), min_size=1, max_size=20))
    mine, versions = uuid.uuid4().hex, dict[str, int]()
    events = []
    for name, kind, value, about, stamp in rows:
        stream = f"{name[:150]}-{mine}"
        versions[stream] = versions.get(stream, 0) + 1
        events.append(
            event(
                versions[stream], stream_id=stream, event_type=kind, data=value, metadata=about or {}, timestamp=stamp
            )
        )
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        cut = data.draw(st.integers(0, len(events)))
        assert administration.import_events(events[:cut]) == cut
        assert administration.import_events(events) == len(events) - cut
        assert administration.import_events(events) == 0
    for stream in versions:
        own = [it for it in events if it.stream_id == stream]
        assert [canonical(it) for it in store.read_stream(stream)] == [canonical(it) for it in own]
    assert store.check() == []


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "given up"])
@pytest.mark.parametrize("importing", ["a stream's first", "all that is there and one more"])
def test_a_stream_that_somebody_creates_meanwhile(
    store: PostgresEventStore, postgres_url: str, schema: str, importing: str, kept: bool
) -> None:
    """An import waits for who creates one of its streams, and then goes by what is there."""
    url = f"{postgres_url}?schema={schema}"
    mine = [event(1), event(2), event(1, stream_id="y-1")]
    if importing == "all that is there and one more":
        mine.append(event(3))
    with ExitStack() as stack:
        administration, other = (stack.enter_context(open_administration(url)) for _ in range(2))
        watch = stack.enter_context(psycopg.connect(postgres_url, autocommit=True))
        pool = stack.enter_context(ThreadPoolExecutor())
        shown: Any = (administration, other)
        pid = shown[0]._connection.info.backend_pid
        with shown[1]._connection.transaction():
            other.import_events(mine[:2])
            importer = pool.submit(administration.import_events, mine)
            deadline = monotonic() + 30
            while not watch.execute(WAITING, (pid,)).fetchall():
                assert monotonic() < deadline
            if not kept:
                raise psycopg.Rollback
        assert importer.result(30) == len(mine) - 2 * kept
        different = msgspec.structs.replace(mine[1], event_id=uuid.uuid4())
        with pytest.raises(DuplicateEventError):
            administration.import_events([mine[0], different, event(1, stream_id="z-1")])
    assert sorted((it.stream_id, it.version) for it in store.read_all()) == sorted(
        (it.stream_id, it.version) for it in mine
    )
    assert {it.stream_id: it.version for it in store.streams()} == {"x-1": len(mine) - 1, "y-1": 1}
    assert store.check() == []


def test_the_row_of_a_stream(store: PostgresEventStore, session: Open, postgres_url: str, schema: str) -> None:
    """A new stream is created at its first event and changed at its newest, or its first where the clock went back."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)

    def rows() -> dict[str, tuple[Any, ...]]:
        found = session().run("SELECT stream_id, category, version, created_at, updated_at FROM {schema}.streams")
        return {name: tuple(rest) for name, *rest in found}

    def at(seconds: int) -> datetime:
        return begin + timedelta(seconds=seconds)

    def of(stream: str, version: int, seconds: int) -> Any:
        return event(version, stream_id=stream, timestamp=at(seconds))

    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        administration.import_events([of("up-1", 1, 1), of("down-1", 4, 9), of("up-1", 2, 2), of("down-1", 5, 3)])
        assert rows() == {"up-1": ("up", 2, at(1), at(2)), "down-1": ("down", 5, at(9), at(9))}
        administration.import_events([of("up-1", 2, 2), of("up-1", 3, 1), of("down-1", 6, 20), of("new-1", 1, 5)][1:])
        assert rows() == {
            "up-1": ("up", 3, at(1), at(2)), "down-1": ("down", 6, at(9), at(20)), "new-1": ("new", 1, at(5), at(5)),
        }  # fmt: skip
    assert store.append("up-1", [NewEvent("Made", 1)], expected_version=3).last_version == 4
    assert store.append("down-1", [NewEvent("Made", 1)], expected_version=ExpectedVersion.ANY).last_version == 7
    assert store.check() == []


@pytest.mark.parametrize(("edge", "minutes"), [(_OLDEST, 1), (_NEWEST, -1)])
def test_a_time_that_could_not_be_read_again_is_refused(
    store: PostgresEventStore, postgres_url: str, schema: str, edge: datetime, minutes: int
) -> None:
    outside = edge.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(
            UsageError, match=r"not within the years 1 to 9999 of UTC; nothing of this batch was stored"
        ):
            administration.import_events([event(1), event(2, timestamp=outside)])
        assert list(store.streams()) == []


def test_a_time_that_leaves_no_room_for_the_next_event_is_refused(
    store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    """The event appended after it would be of the year 10000, and nobody could read the feed from there on."""
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(UsageError, match=r"later than 9999-12-31T00:00Z"):
            administration.import_events([event(1), event(2, timestamp=_NEWEST)])
        assert list(store.streams()) == []
        assert administration.import_events([event(1, timestamp=_LATEST)]) == 1
    for version in (1, 2):
        store.append("x-1", [NewEvent("Made", version)], expected_version=version)
    assert [it.timestamp - _LATEST for it in store.read_all()] == [timedelta(microseconds=n) for n in range(3)]


@pytest.mark.parametrize("wrong", ["1", 1.0, True, 0, -1, 2**63 - 1, 2**70])
def test_a_version_that_is_none_is_refused(
    store: PostgresEventStore, postgres_url: str, schema: str, wrong: Any
) -> None:
    url = f"{postgres_url}?schema={schema}"
    last = msgspec.structs.replace(event(), version=wrong)
    for events in ([last], [event(1), last]):
        with (
            open_administration(url) as administration,
            pytest.raises(UsageError, match=r"has version .*nothing of this"),
        ):
            administration.import_events([event(1, stream_id="y-1"), *events])
    with open_store(url) as other:
        assert list(other.read_all()) == []
        assert list(other.streams()) == []


def test_a_version_that_only_compares_equal_is_refused(
    store: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    between = msgspec.structs.replace(event(), version=2.0)
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        with pytest.raises(UsageError, match=r"has version 2\.0; nothing of this batch"):
            administration.import_events([event(1), between, event(3)])
        assert list(store.streams()) == []


@pytest.fixture
def private(postgres_url: str, schema: str) -> Iterator[PostgresEventStore]:
    with PostgresEventStore(postgres_url, schema=schema, privacy=True, min_size=1) as opened:
        opened.initialize()
        yield opened


def test_a_stream_that_was_deleted_here_goes_on_as_after_an_append(
    private: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        events = [event(version) for version in (1, 2, 3)]
        name = events[0].stream_id
        assert administration.import_events(events[:2]) == 2
        private.privacy.soft_delete(name, by="me")
        assert administration.import_events(events[:2]) == 0
        assert private.stream_info(name).deleted_at is not None  # a repeat brings nothing back
        assert administration.import_events(events) == 1
    assert [it.version for it in private.read_stream(name)] == [3]
    assert private.stream_info(name).deleted_at is None
    assert private.append(name, [NewEvent("Made", 4)], expected_version=3).last_version == 4
    assert private.check() == []


def test_a_stream_that_was_closed_here_takes_no_more(
    private: PostgresEventStore, postgres_url: str, schema: str
) -> None:
    with open_administration(f"{postgres_url}?schema={schema}") as administration:
        events = [event(version) for version in (1, 2)]
        name = events[0].stream_id
        assert administration.import_events(events[:1]) == 1
        private.privacy.tombstone(name, by="me")
        other = event(1, stream_id="other-1")
        with pytest.raises(StreamTombstonedError, match=f"stream '{name}' is tombstoned; nothing was stored"):
            administration.import_events([other, *events])
        assert [it.version for it in private.read_all()] == [1]
        # What is there already is no append.
        assert administration.import_events([other, events[0]]) == 1
    assert private.check() == []
