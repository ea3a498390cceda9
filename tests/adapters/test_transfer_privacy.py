"""What privacy operations hid, closed or removed moves along with the store."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, StreamTombstonedError, open_store
from mink_core.registry import open_administration
from mink_core.transfer import export
from tests.adapters.moving import imported

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def other(target: str, schema: str) -> Iterator[str]:
    """Another store, as empty."""
    url = target.replace(f"schema={schema}", f"schema={schema}_b")
    with open_administration(url) as administration:
        administration.migrate()
        try:
            yield url
        finally:
            administration._connection.execute(f'DROP SCHEMA "{schema}_b" CASCADE')  # type: ignore[attr-defined]


def test_what_privacy_operations_did_is_moved_too(target: str, other: str) -> None:
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
        for _ in range(2):
            imported(out.getvalue(), other)
            with open_store(other, privacy=True) as moved:
                assert look(moved) == before
                assert moved.check() == []
        with open_store(other, privacy=True) as moved:
            states = [
                ("purged-1", 2),
                ("gone-1", 3),
                ("hidden-1", 3),
                ("again-1", 3),
                ("again-1", 4),
                ("plain-1", 3),
            ]
            assert [moved.snapshots.save(name, version, {}) for name, version in states] == [False] * 4 + [True] * 2
            assert appended(moved) == appended(store) == [4, 4, 4, 5, 4]


def test_an_import_that_is_run_again_leaves_what_happened_since(target: str, other: str) -> None:
    """A stream that was deleted there and has come back here is not deleted again, nor the other way round."""
    with open_store(target, privacy=True) as store, open_administration(target) as administration:
        for name in ("back-1", "gone-1"):
            store.append(name, [NewEvent("Made", 1)], expected_version=0)
            store.privacy.soft_delete(name, by="dpo")
        store.append("gone-1", [NewEvent("Again", 2)], expected_version=ExpectedVersion.NO_STREAM)
        out = io.BytesIO()
        export(store, out.write, marks=administration.stream_marks)
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


def test_a_stream_that_goes_on_while_it_is_exported(target: str, other: str) -> None:
    """Its mark is as new as its last append, its events are those that the feed showed: versions keep no hole."""
    with open_store(target, privacy=True) as store, open_administration(target) as administration:
        for name in ("purged-1", "again-1", "hidden-1", "closed-1"):
            store.append(name, [NewEvent("Made", n) for n in range(3)], expected_version=0)
        store.privacy.purge("purged-1", up_to_version=1, by="dpo")
        store.privacy.soft_delete("again-1", by="dpo")
        store.append("again-1", [NewEvent("Again", 3)], expected_version=ExpectedVersion.NO_STREAM)
        asked = []

        def marks() -> Any:
            asked.append(None)
            if len(asked) == 2:  # behind the mark at which the feed ended
                for name in ("purged-1", "again-1", "hidden-1", "closed-1"):
                    store.append(name, [NewEvent("Meanwhile", 4)], expected_version=ExpectedVersion.STREAM_EXISTS)
                store.privacy.soft_delete("hidden-1", by="dpo")
                store.append("new-1", [NewEvent("Meanwhile", 4)], expected_version=0)
                for name in ("closed-1", "new-1"):
                    store.privacy.tombstone(name, by="dpo")
            return administration.stream_marks()

        out = io.BytesIO()
        export(store, out.write, marks=marks)
        assert len(asked) == 2
        later = io.BytesIO()
        export(store, later.write, marks=administration.stream_marks)
        imported(out.getvalue(), other)
        with open_store(other, privacy=True) as moved:
            assert moved.check() == []
            assert [moved.stream_info(name).version for name in ("purged-1", "again-1")] == [3, 4]
            assert list(moved.read_stream("hidden-1")) == []
        with open_administration(other) as beside:
            marks = {it.stream_id: (it.version, it.hidden_version) for it in beside.stream_marks()}
        assert marks["hidden-1"] == (3, 3)
        imported(later.getvalue(), other)
        with open_store(other, privacy=True) as moved:
            assert moved.check() == []
            for name in ("purged-1", "again-1", "hidden-1", "closed-1", "new-1"):
                assert [it.version for it in moved.read_stream(name)] == [it.version for it in store.read_stream(name)]
                assert moved.stream_info(name).version == store.stream_info(name).version
            for name in ("closed-1", "new-1"):
                with pytest.raises(StreamTombstonedError):
                    moved.append(name, [NewEvent("Late", 5)], expected_version=ExpectedVersion.ANY)


def test_a_hole_above_what_was_purged_is_damage(target: str) -> None:
    """What was purged is missing on purpose, and nothing else."""
    with open_store(target, privacy=True) as store, open_administration(target) as administration:
        for name in ("whole-1", "gone-1", "short-1"):
            store.append(name, [NewEvent("Made", n) for n in range(3)], expected_version=0)
            store.privacy.purge(name, up_to_version=3 if name == "gone-1" else 1, by="dpo")
        assert store.check() == []
        administration._connection.execute(  # type: ignore[attr-defined]
            f"UPDATE {administration._context.sql.quoted}.streams SET version = 4 WHERE stream_id = 'short-1'"  # type: ignore[attr-defined]
        )
        assert [(it.kind, it.subject, it.problem) for it in store.check()] == [
            ("stream", "short-1", "version 4 in streams, but the newest event has 3: raw writes left it behind")
        ]
