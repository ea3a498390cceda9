"""What is particular to a file that several processes write to; the contract is the kit's to check."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from mink_sqlite.adapter import namespaces, open_async_store, open_store

from mink_core import (
    CapabilityNotSupportedError,
    ExpectedVersion,
    NewEvent,
    PositionAheadError,
    SchemaError,
    StorageError,
    StoreClosedError,
    StoredEvent,
    TransientStorageError,
    UnreadableEventError,
    UsageError,
)

ANY = ExpectedVersion.ANY
WRITER = """
import sys
from mink_sqlite.adapter import open_store
from mink_core import ExpectedVersion, NewEvent
with open_store(sys.argv[1]) as store:
    store.initialize()
    for number in range(40):
        store.append("a-1", [NewEvent("Made", {"by": sys.argv[2]})], expected_version=ExpectedVersion.ANY)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/events.db"


def test_several_processes_initialize_and_write_one_file(url: str) -> None:
    # The package need not be installed.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", WRITER, url]
    writers = [subprocess.Popen([*command, str(number)], env=environment) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with open_store(url) as store:
        events = list(store.read_all())
        assert [event.version for event in events] == list(range(1, 121))
        assert sorted(event.global_position for event in events) == [event.global_position for event in events]
        assert store.check() == []


def test_who_waits_too_long_is_told_that_nothing_was_stored(url: str, tmp_path: Path) -> None:
    with open_store(url, lock_timeout=0.1) as store, closing(sqlite3.connect(tmp_path / "events.db")) as other:
        store.initialize()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientStorageError, match="nothing was stored"):
            store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        assert list(store.read_all()) == []  # readers do not wait
        other.rollback()
        assert store.append("a-1", [NewEvent("Made", {})], expected_version=ANY).last_position == 1


def test_many_handles_initialize_at_once(url: str) -> None:
    errors: list[BaseException] = []

    def one() -> None:
        try:
            with open_store(url) as store:
                store.initialize()
        except BaseException as error:  # noqa: BLE001 -- shown below
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_file_that_is_not_ours(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        with pytest.raises(SchemaError, match="initialize"):
            store.head_position()
        store.initialize()
    with closing(sqlite3.connect(tmp_path / "events.db")) as other:
        other.execute("PRAGMA user_version = 9")
    with open_store(url) as store:
        with pytest.raises(SchemaError, match="upgrade"):
            store.head_position()
        with pytest.raises(SchemaError, match="upgrade"):
            store.initialize()
    (tmp_path / "events.db").write_bytes(b"x" * 8192)
    with open_store(url) as store, pytest.raises(StorageError, match="not a database"):
        store.head_position()


def test_a_restored_copy_is_told(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        with (
            closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
            closing(sqlite3.connect(tmp_path / "events.db")) as all_of_it,
        ):
            all_of_it.backup(copy)
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        position = store.head_position()
    with open_store(f"sqlite://{tmp_path}/copy.db") as restored, pytest.raises(PositionAheadError):
        restored.poll(position)


def test_damage_is_found(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        with closing(sqlite3.connect(tmp_path / "events.db")) as other, other:
            other.execute("DELETE FROM events WHERE version = 1")
        assert [finding.subject for finding in store.check()] == ["a-1"]


def test_wrong_urls_and_what_it_does_not_have(url: str) -> None:
    for wrong in ("sqlite://", "sqlite://relative.db"):
        with pytest.raises(UsageError, match="sqlite:///path"):
            open_store(wrong)
    with pytest.raises(UsageError, match="sync only"):
        open_async_store(url)
    store = open_store(url)
    for refused in (store.transaction, lambda: store.outbox):
        with pytest.raises(CapabilityNotSupportedError):
            refused()
    store.close()
    with pytest.raises(StoreClosedError):
        store.ping()


def test_namespaces_are_files_beside_the_urls(url: str, tmp_path: Path) -> None:
    with namespaces(url) as beside:
        with open_store(beside.url("one")) as one, open_store(beside.url("two")) as two:
            one.initialize()
            two.initialize()
            one.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
            assert two.head_position() == 0
        for name in ("one", "two", "never"):
            beside.drop(name)
    assert list(tmp_path.iterdir()) == []


class Breaks:
    """Cannot read the third event of a stream."""

    def outgoing(self, _stream_id: str, event: NewEvent) -> NewEvent:
        return event

    def incoming(self, event: StoredEvent) -> StoredEvent:
        if event.version == 3:
            raise KeyError("currency")
        return event


def test_a_reader_has_the_events_before_one_that_cannot_be_read(url: str) -> None:
    with open_store(url, transforms=[Breaks()]) as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", n) for n in range(5)], expected_version=0)
        for events in (store.read_stream("a-1"), store.read_all()):
            seen = list[int]()
            with pytest.raises(UnreadableEventError):
                seen.extend(event.version for event in events)
            assert seen == [1, 2]
