"""Exports that were changed on their way, and imports that do not fit: noticed, and refused whole."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mink_core import DuplicateEventError, StorageError, Store, UsageError, open_store
from mink_core.registry import open_administration
from mink_core.transfer import Digests, import_lines, verify
from mink_core.transfer.digests import canonical
from tests.adapters.moving import event, exported, imported


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
            (
                f"UPDATE {schema}.events SET global_position = 100000 WHERE stream_id = 'a' AND version = 20; "
                f"SELECT setval('{schema}.events_global_position_seq', 100000)"
            ),
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


def test_a_time_that_is_none_in_utc_is_refused_and_not_a_traceback(source: Store, target: str) -> None:
    whole = changed(exported(source), 1, timestamp="0001-01-01T00:00:00+14:00")
    with (
        open_administration(target) as administration,
        pytest.raises(UsageError, match="not within the years 1 to 9999"),
    ):
        import_lines(io.BytesIO(whole), administration)


def test_digests_tell_moments_apart_and_not_their_zones() -> None:
    def text(hour: int, zone: timezone | None) -> bytes:
        return canonical(event(event_id=uuid.UUID(int=1), timestamp=datetime(2024, 1, 1, hour, tzinfo=zone)))

    east = timezone(timedelta(hours=2))
    assert text(10, UTC) == text(12, east)
    assert len({text(10, UTC), text(10, east), text(10, None)}) == 3
