"""A store moved memory → PostgreSQL → another PostgreSQL compares equal, and an interruption loses nothing."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    PositionAheadError,
    StorageError,
    Store,
    StoredEvent,
    StreamAppend,
    StreamTombstonedError,
    UsageError,
    open_store,
)
from mink_core.registry import open_administration
from mink_core.transfer import Digests, export, import_lines, resume, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES: list[Any] = [
    1, 1.0, True, None, "x", -0.0, 1e16, 1.2345678901234567e18, 1e300, 5e-324, 2**63 - 1, -(2**63), [], {}, 'é😀\u2028"\\',
    {"z": {"a": [1, 1.0]}, "a": None}, "\\u0000", [[[]]], 0.1, "x" * 70_000,
]  # fmt: skip


def fill(store: Store) -> None:
    """Streams that lie in one another, calls of one and of several events, every kind of value."""
    for number, value in enumerate(VALUES):
        metadata = {"user_id": "ann", "value": value} if number % 3 else None
        store.append(f"order-{number % 4}", [NewEvent("Placed", value, metadata)], expected_version=ExpectedVersion.ANY)
        items = [
            StreamAppend(name, [NewEvent("Noted", {"n": number})] * 1, ExpectedVersion.ANY)
            for name in ("käse", "a", "😀-1")
        ]
        store.append_batch(items)


@pytest.fixture
def source() -> Iterator[Store]:
    with open_store(f"memory://{uuid.uuid4().hex}") as store:
        store.initialize()
        fill(store)
        yield store


@pytest.fixture
def target(postgres_url: str, schema: str) -> str:
    url = f"{postgres_url}?schema={schema}&min_size=1"
    with open_administration(url) as administration:
        administration.migrate()
    return url


def exported(store: Store) -> bytes:
    out = io.BytesIO()
    export(store, out.write)
    return out.getvalue()


def imported(data: bytes, url: str, **options: Any) -> Any:
    with open_administration(url) as administration:
        done = import_lines(io.BytesIO(data), administration, **options)
    with open_store(url) as store:
        verify(store, done.digests)
    return done


def content(event: StoredEvent) -> Any:
    """All but the position, with the types of values."""
    data = json.dumps([event.data, event.metadata], sort_keys=True).replace("-0.0", "0.0")
    return event.stream_id, event.version, event.event_id, event.event_type, data, event.timestamp


def test_memory_to_postgresql_to_another_compares_equal(source: Store, target: str, schema: str) -> None:
    first = imported(exported(source), target, batch=7)
    assert (first.events, first.stored) == (len(VALUES) * 4, len(VALUES) * 4)
    other = target.replace(f"schema={schema}", f"schema={schema}_b")
    with open_administration(other) as administration:
        administration.migrate()
        try:
            with open_store(target) as middle:
                imported(exported(middle), other)
                with open_store(other) as last:
                    wanted = [content(event) for event in source.read_all()]
                    assert [content(event) for event in middle.read_all()] == wanted
                    assert [content(event) for event in last.read_all()] == wanted
                    streams = [
                        (it.stream_id, it.category, it.version, it.created_at, it.updated_at) for it in source.streams()
                    ]
                    for store in (middle, last):
                        mine = [
                            (it.stream_id, it.category, it.version, it.created_at, it.updated_at)
                            for it in store.streams()
                        ]
                        assert mine == streams
                        assert store.check() == []
                        # A call that the source acknowledged is recognized: ids and boundaries are kept.
                        [event, *_] = store.read_stream("order-1")
                        again = NewEvent(event.event_type, event.data, event.metadata, event.event_id)
                        assert store.append("order-1", [again], expected_version=0).last_version == 1
                        # Life goes on.
                        result = store.append("order-1", [NewEvent("After", 1)], expected_version=len(VALUES) // 4)
                        assert result.first_position > len(VALUES) * 4
                        [*_, newest] = store.read_stream("order-1")
                        assert newest.timestamp > event.timestamp
        finally:
            administration._connection.execute(f'DROP SCHEMA "{schema}_b" CASCADE')  # type: ignore[attr-defined]


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_an_import_that_was_cut_off_is_gone_on_with(source: Store, target: str, cut: float) -> None:
    data = exported(source)
    part = data[: int(len(data) * cut)].rpartition(b"\n")[0] + b"\n"
    with open_administration(target) as administration, pytest.raises(UsageError, match="ends early, after"):
        import_lines(io.BytesIO(part), administration, batch=5)
    with open_store(target) as store:
        before = len(list(store.read_all()))
    assert before > 5
    done = imported(data, target, batch=6)
    assert (done.events, done.stored) == (len(VALUES) * 4, len(VALUES) * 4 - before)
    assert imported(data, target).stored == 0


@pytest.mark.parametrize("cut", [0.0, 0.001, 0.3, 0.7, 0.95, 1.0])
def test_an_export_that_was_cut_off_is_gone_on_with(source: Store, cut: float) -> None:
    """Wherever the file ends, in the middle of a line too, the whole comes out the same."""
    whole = exported(source)
    file = io.BytesIO(whole[: int(len(whole) * cut)])
    so_far = resume(file)
    if so_far is not None and so_far.complete:
        assert cut == 1.0
        return
    file.truncate(so_far.size if so_far else 0)
    file.seek(so_far.size if so_far else 0)
    done = export(source, file.write, after=so_far)
    assert file.getvalue() == whole
    assert done.events == len(VALUES) * 4


def test_an_export_of_another_store_is_not_gone_on_with(source: Store) -> None:
    data = exported(source)
    so_far = resume(io.BytesIO(data[: len(data) // 2]))
    with open_store("memory://") as other:
        other.initialize()
        fill(other)
        with pytest.raises(PositionAheadError):
            export(other, io.BytesIO().write, after=so_far)
    with pytest.raises(UsageError, match="no export"):
        resume(io.BytesIO(b'{"mink_stream":"a","version":1,"events":1,"digest":""}\n'))
    with pytest.raises(UsageError, match="line 1 is not a line of an export"):
        resume(io.BytesIO(b"something else\n"))


def changed(whole: bytes, number: int, **fields: Any) -> bytes:
    lines = whole.splitlines(keepends=True)
    line = json.loads(lines[number]) | fields
    lines[number] = json.dumps(line).encode() + b"\n"
    return b"".join(lines)


DAMAGE = {
    "data": {"data": "other"},
    "an int for a float": {"data": 2},
    "metadata": {"metadata": {"user_id": "bob"}},
    "type": {"type": "Other"},
    "timestamp": {"timestamp": "2020-01-01T00:00:00Z"},
    "id": {"event_id": str(uuid.uuid4())},
}


@pytest.mark.parametrize("fields", DAMAGE.values(), ids=list(DAMAGE))
def test_a_changed_file_is_noticed(source: Store, target: str, fields: dict[str, Any]) -> None:
    whole = exported(source)
    number = next(index for index, line in enumerate(whole.splitlines()) if b'"data":1.0' in line)
    with open_administration(target) as administration, pytest.raises(UsageError, match="not those exported"):
        import_lines(io.BytesIO(changed(whole, number, **fields)), administration)


def test_lines_left_out_or_moved_are_noticed(source: Store, target: str) -> None:
    lines = exported(source).splitlines(keepends=True)
    with open_administration(target) as administration:
        for wrong, said in (
            ([lines[0], lines[0]], "line 2 is out of place"),
            (lines[1:], "line 1 is out of place"),
            ([*lines, lines[1]], "is out of place"),
            ([lines[0], b'{"stream_id": "a"}\n'], "line 2 is not a line of an export"),
            ([lines[0].replace(b'"mink_export":1', b'"mink_export":2')], "format 2"),
        ):
            with pytest.raises(UsageError, match=said):
                import_lines(wrong, administration)
        # Neighbours of two streams in the other order: every stream is whole, the whole is not.
        moved = [lines[0], lines[2], lines[1], *lines[3:]]
        with pytest.raises(UsageError, match="in another order"):
            import_lines(moved, administration)
        ours = [it.replace(b'"a"', b'"gap"') for it in lines if b'"stream_id":"a"' in it]
        with pytest.raises(UsageError, match="is at version 1, but the next event to import has version 3"):
            import_lines([lines[0], ours[0], ours[2]], administration)


def test_verify_reads_the_store_itself(source: Store, target: str) -> None:
    done = imported(exported(source), target)
    with open_administration(target) as administration:
        connection: Any = administration._connection  # type: ignore[attr-defined]
        schema = administration._context.sql.quoted  # type: ignore[attr-defined]
        for damage in (
            f"UPDATE {schema}.events SET data = '2' WHERE stream_id = 'a' AND version = 3",
            f"UPDATE {schema}.events SET timestamp = timestamp + interval '1 microsecond' WHERE stream_id = 'a'",
            f"DELETE FROM {schema}.events WHERE stream_id = 'a' AND version = 3",
            f"UPDATE {schema}.events SET global_position = 100000 WHERE stream_id = 'a' AND version = 20",
        ):
            connection.execute(
                f"SELECT {schema}.allow_rewriting(); CREATE TABLE {schema}.kept AS TABLE {schema}.events; {damage}"
            )
            with (
                open_store(target) as store,
                pytest.raises(StorageError, match=r"stream 'a' is not|otherwise in one another"),
            ):
                verify(store, done.digests)
            connection.execute(
                f"SELECT {schema}.allow_rewriting(); TRUNCATE {schema}.events; "
                f"INSERT INTO {schema}.events SELECT * FROM {schema}.kept; DROP TABLE {schema}.kept"
            )


def event(version: int = 1, **fields: Any) -> StoredEvent:
    given = {
        "stream_id": "x-1", "version": version, "global_position": 1, "event_id": uuid.uuid4(), "event_type": "T",
        "data": 1, "metadata": {}, "timestamp": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=version),
    }  # fmt: skip
    return StoredEvent(**(given | fields))


def test_what_does_not_go_on_is_refused_whole(target: str) -> None:
    first, second = event(1), event(2)
    with open_administration(target) as administration:
        assert administration.import_events([first, second]) == 2
        assert administration.import_events([second, first]) == 0
        for wrong, kind in (
            ([event(3), event(5)], UsageError),
            ([event(2)], DuplicateEventError),
            ([event(1, event_id=first.event_id, data=1.0)], DuplicateEventError),
            ([event(3), event(3)], UsageError),
            ([event(3, stream_id="-bad")], UsageError),
            ([event(3, event_type="a\nb")], UsageError),
            ([event(3, data=float("nan"))], UsageError),
            ([event(3, timestamp=datetime(2024, 1, 1))], UsageError),  # noqa: DTZ001 -- the point
        ):
            with pytest.raises(kind):
                administration.import_events([event(1, stream_id="new-1"), *wrong])
        with open_store(target) as store:
            assert [it.event_id for it in store.read_all()] == [first.event_id, second.event_id]
            assert [it.stream_id for it in store.streams()] == ["x-1"]
            assert store.check() == []


def test_what_privacy_operations_did_is_moved_too(target: str, schema: str) -> None:
    """Nothing that was hidden, closed or removed comes back in the other store."""

    def look(store: Any) -> list[Any]:
        found: list[Any] = [(it.stream_id, it.version, it.deleted_at) for it in store.streams()]
        names = ("purged-1", "gone-1", "hidden-1", "again-1", "closed-1", "plain-1")
        return found + [[(it.version, it.data) for it in store.read_stream(name)] for name in names]

    def appended(store: Any) -> list[Any]:
        for name in ("closed-1", "never-1"):
            with pytest.raises(StreamTombstonedError):
                store.append(name, [NewEvent("After", 1)], expected_version=ExpectedVersion.ANY)
        return [
            store.append(name, [NewEvent("After", 1)], expected_version=ExpectedVersion.ANY).last_version
            for name in ("purged-1", "gone-1", "hidden-1", "again-1", "plain-1")
        ]

    other = target.replace(f"schema={schema}", f"schema={schema}_b")
    with open_store(target, privacy=True) as store, open_administration(target) as administration:
        for name in ("purged-1", "gone-1", "hidden-1", "again-1", "closed-1", "plain-1"):
            store.append(name, [NewEvent("Made", n) for n in range(3)], expected_version=0)
        store.privacy.purge("purged-1", up_to_version=2, by="dpo")
        store.privacy.purge("gone-1", by="dpo")
        store.privacy.soft_delete("hidden-1", by="dpo")
        store.privacy.soft_delete("again-1", by="dpo")
        store.append("again-1", [NewEvent("Again", 9)], expected_version=ExpectedVersion.NO_STREAM)
        store.privacy.tombstone("closed-1", by="dpo")
        store.privacy.tombstone("never-1", by="dpo")
        out = io.BytesIO()
        export(store, out.write, marks=administration.stream_marks)
        before = look(store)
        assert [len(it) for it in before if type(it) is list] == [1, 0, 0, 1, 3, 3]
        try:
            with open_administration(other) as beside:
                beside.migrate()
            for _ in range(2):
                imported(out.getvalue(), other)
                with open_store(other, privacy=True) as moved:
                    assert look(moved) == before
                    assert moved.check() == []
            with open_store(other, privacy=True) as moved:
                assert appended(moved) == appended(store) == [4, 4, 4, 5, 4]
        finally:
            administration._connection.execute(f'DROP SCHEMA IF EXISTS "{schema}_b" CASCADE')  # type: ignore[attr-defined]


def test_an_import_that_is_run_again_leaves_what_happened_since(target: str, schema: str) -> None:
    """A stream that was deleted there and has come back here is not deleted again, nor the other way round."""
    other = target.replace(f"schema={schema}", f"schema={schema}_b")
    with open_store(target, privacy=True) as store, open_administration(target) as administration:
        for name in ("back-1", "gone-1"):
            store.append(name, [NewEvent("Made", 1)], expected_version=0)
            store.privacy.soft_delete(name, by="dpo")
        store.append("gone-1", [NewEvent("Again", 2)], expected_version=ExpectedVersion.NO_STREAM)
        out = io.BytesIO()
        export(store, out.write, marks=administration.stream_marks)
        try:
            with open_administration(other) as beside:
                beside.migrate()
            imported(out.getvalue(), other)
            with open_store(other, privacy=True) as moved:
                moved.append("back-1", [NewEvent("Back", 3)], expected_version=ExpectedVersion.NO_STREAM)
                moved.privacy.soft_delete("gone-1", by="dpo")
            imported(out.getvalue(), other)
            with open_store(other, privacy=True) as moved:
                assert moved.stream_info("back-1").deleted_at is None
                assert moved.append("back-1", [NewEvent("Back", 4)], expected_version=2).last_version == 3
                assert moved.stream_info("gone-1").deleted_at is not None
                assert list(moved.read_stream("gone-1")) == []
        finally:
            administration._connection.execute(f'DROP SCHEMA IF EXISTS "{schema}_b" CASCADE')  # type: ignore[attr-defined]


def test_readers_skip_nothing_while_an_import_runs(target: str) -> None:
    """An import's transaction is fenced as an append is: what commits after it began waits for it."""
    with open_administration(target) as administration, open_store(target) as store:
        connection: Any = administration._connection  # type: ignore[attr-defined]
        with connection.transaction():
            administration.import_events([event(1)])
            store.append("other-1", [NewEvent("Made", 1)], expected_version=0)
            assert store.poll(0).events == []
            assert len(store.feed_status().holders) == 1
        assert [it.stream_id for it in store.poll(0).events] == ["x-1", "other-1"]


def test_digests_tell_types_apart() -> None:
    def digest(value: Any) -> str:
        digests = Digests()
        digests.add(event(1, event_id=uuid.UUID(int=1), data=value))
        return digests.streams["x-1"].digest.hex()

    different: list[Any] = [1, 1.0, True, "1", [1], {"a": 1}, {"a": 1.0}, {"b": 1}, None, [], {}]
    assert len({digest(value) for value in different}) == len(different)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([-0.0, {"x": -0.0}]) == digest([0.0, {"x": 0.0}])
    assert digest("-0.0") != digest("0.0")
