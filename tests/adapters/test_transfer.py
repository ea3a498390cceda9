"""A store moved memory → PostgreSQL → another PostgreSQL compares equal, and an interruption loses nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mink_core import NewEvent, PositionAheadError, Store, StoredEvent, UsageError, open_store
from mink_core.registry import open_administration
from mink_core.transfer import export, import_lines, resume
from tests.adapters.moving import VALUES, event, exported, fill, imported


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


@pytest.mark.parametrize("wrong", ["0f0e0d0c-0000-4000-8000-000000000001", "no id", 5, 0.5, None, b"0123456789abcdef"])
def test_an_id_that_is_no_uuid_is_refused(target: str, wrong: Any) -> None:
    with open_administration(target) as administration:
        with pytest.raises(UsageError, match=r"event_id .*must be a UUID, not"):
            administration.import_events([event(1, event_id=wrong)])
        assert administration.import_events([event(1)]) == 1
