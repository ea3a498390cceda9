"""`mink export` and `mink import`: files, pipes, compression, interruptions."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ExpectedVersion, NewEvent, open_store
from mink_core.cli.files import opened
from tests.cli.conftest import lines
from tests.cli.programs import finish, start_mink

if TYPE_CHECKING:
    from pathlib import Path

    from mink_core import Store
    from tests.cli.conftest import Mink


@pytest.fixture
def target(postgres_url: str, schema: str) -> str:
    url = f"{postgres_url}?schema={schema}"
    with open_store(url) as store:
        store.initialize()
    return url


@pytest.fixture
def filled(store: Store) -> Store:
    store.initialize()
    for number in range(30):
        store.append(f"order-{number % 3}", [NewEvent("Placed", {"n": number})], expected_version=ExpectedVersion.ANY)
    return store


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.zst"])
def test_to_a_file_and_back(mink: Mink, filled: Store, target: str, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    done = mink("export", str(file))
    assert done.exit_code == 0, done.stderr
    assert lines(done.stdout) == [{"events": 30, "streams": 3, "last_position": 30}]
    plain = name.endswith(".jsonl")
    assert file.read_bytes().startswith(b'{"mink_export":1,' if plain else b"\x28\xb5\x2f\xfd")
    back = mink("import", str(file), store_url=target)
    assert back.exit_code == 0, back.stderr
    assert lines(back.stdout) == [{"events": 30, "stored": 30, "streams": 3, "verified": True}]
    again = mink("import", str(file), "--no-verify", store_url=target)
    assert lines(again.stdout) == [{"events": 30, "stored": 0, "streams": 3, "verified": False}]
    with open_store(target) as moved:
        assert [(it.event_id, it.timestamp) for it in moved.read_all()] == [
            (it.event_id, it.timestamp) for it in filled.read_all()
        ]


def test_a_file_as_an_editor_on_windows_leaves_it(mink: Mink, filled: Store, target: str, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    mink("export", str(file))
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    back = mink("import", str(file), store_url=target)
    assert back.exit_code == 0, back.stderr


def test_an_event_s_line_is_what_read_prints(mink: Mink, filled: Store, tmp_path: Path) -> None:
    mink("export", str(tmp_path / "x"))
    written = [json.loads(line) for line in (tmp_path / "x").read_bytes().splitlines()]
    assert written[1:31] == lines(mink("read").stdout)
    assert [next(iter(it)) for it in written[31:]] == ["mink_stream"] * 3 + ["mink_end"]


def test_a_file_that_is_there_is_not_overwritten(mink: Mink, filled: Store, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("precious\n")
    refused = mink("export", str(file))
    assert refused.exit_code == 2
    assert "is there already" in refused.stderr
    refused = mink("export", str(file), "--resume")
    assert refused.exit_code == 2
    assert "not a line of an export" in refused.stderr
    assert file.read_text() == "precious\n"
    # One line that does not end is no export that was cut off.
    file.write_text("precious")
    refused = mink("export", str(file), "--resume")
    assert refused.exit_code == 2
    assert "no export" in refused.stderr
    assert file.read_text() == "precious"
    for name in ("-", str(tmp_path / "x.zst")):
        assert mink("export", name, "--resume").exit_code == 2
    (tmp_path / "x.zst").touch()
    assert "--resume" not in mink("export", str(tmp_path / "x.zst")).stderr


@pytest.mark.parametrize("kept", [0, 5, 40])
def test_a_file_that_ends_within_its_head_is_begun_anew(mink: Mink, filled: Store, tmp_path: Path, kept: int) -> None:
    file = tmp_path / "events.jsonl"
    mink("export", str(file))
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    assert mink("export", str(file), "--resume").exit_code == 0
    assert file.read_bytes() == whole


def test_an_interrupted_file_is_gone_on_with(mink: Mink, filled: Store, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert mink("export", str(file), "--resume").exit_code == 0
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000])
    done = mink("export", str(file), "--resume")
    assert lines(done.stdout) == [{"events": 30, "streams": 3, "last_position": 30}]
    assert file.read_bytes() == whole
    assert lines(mink("export", str(file), "--resume").stdout) == lines(done.stdout)
    assert file.read_bytes() == whole


def test_nothing_is_left_behind_where_no_store_is_reached(mink: Mink, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert mink("export", str(file), store_url="postgresql://127.0.0.1:1/x").exit_code == 3
    assert not file.exists()
    assert mink("import", str(file), store_url="postgresql://127.0.0.1:1/x").exit_code == 3
    missing = mink("import", str(file), store_url="memory://x")
    assert missing.exit_code == 2
    assert "nothing to administer" in missing.stderr


def test_a_damaged_file_is_one_line_and_2(mink: Mink, filled: Store, target: str, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    mink("export", str(file))
    file.write_bytes(file.read_bytes()[:-30])
    refused = mink("import", str(file), store_url=target)
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "Traceback" not in refused.stderr
    bad = tmp_path / "bad.jsonl.zst"
    bad.write_bytes(b"no zstd at all")
    refused = mink("import", str(bad), store_url=target)
    assert refused.exit_code == 2, refused.stderr
    assert "cannot be decompressed" in refused.stderr


def test_the_missing_extra_is_named(mink: Mink, filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    refused = mink("export", str(tmp_path / "x.zst"))
    assert refused.exit_code == 2
    assert "pip install 'mink-eventstore[zstd]'" in refused.stderr


def test_through_a_pipe(target: str, postgres_url: str, schema: str) -> None:
    with open_store(target) as store:
        store.append("order-1", [NewEvent("Placed", {"n": number}) for number in range(3)], expected_version=0)
    other = f"{postgres_url}?schema={schema}_b"
    with open_store(other) as store:
        store.initialize()
    try:
        reader = start_mink("export", "-", url=target)
        status, out, err = finish(start_mink("import", "-", url=other, stdin=reader.stdout))
        assert (status, err) == (0, "")
        assert json.loads(out)["stored"] == 3
        assert reader.stdout is not None
        reader.stdout.close()
        reader.stdout = None
        status, _, err = finish(reader)
        assert (status, err) == (0, "3 events of 1 streams, up to position 3\n")
    finally:
        with open_store(other) as store, store.transaction() as transaction:
            transaction.connection.execute(f'DROP SCHEMA "{schema}_b" CASCADE')


def test_standard_output_takes_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PYTHONUNBUFFERED it is raw: a write into a pipe may take a part of the bytes only."""
    taken: list[bytes] = []

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            taken.append(bytes(data[:10]))
            return len(taken[-1])

    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=Pipe()))
    with opened("-", "wb") as file:
        file.write(b"x" * 95)
    assert b"".join(taken) == b"x" * 95


@pytest.mark.parametrize("name", ["nowhere/events.jsonl", "a_file/events.jsonl", "folder"])
def test_a_file_that_cannot_be_opened_is_wrong_usage(mink: Mink, target: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "a_file").touch()
    (tmp_path / "folder").mkdir()
    file = str(tmp_path / name)
    for said in (mink("export", file, "--resume"), mink("import", file, store_url=target)):
        assert said.exit_code == 2
        assert said.stderr.startswith(f"mink: {file} cannot be opened: ")
        assert "Errno" not in said.stderr
