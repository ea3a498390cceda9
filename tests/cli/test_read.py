"""`mink read`, `mink streams` and `mink info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mink_core import ExpectedVersion, NewEvent
from tests.cli.conftest import lines

if TYPE_CHECKING:
    from mink_core import Store
    from tests.cli.conftest import Mink


@pytest.fixture(autouse=True)
def _history(store: Store) -> None:
    for number, (stream, kind) in enumerate([("a-1", "X"), ("b-1", "X"), ("a-1", "Y"), ("a-2", "X"), ("a-1", "X")], 1):
        metadata = {"tenant": number % 2, "name": str(number % 2)}
        store.append(stream, [NewEvent(kind, number, metadata)], expected_version=ExpectedVersion.ANY)


@pytest.mark.parametrize(
    ("args", "numbers"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("a-1",), [1, 3, 5]),
        (("a-1", "--after", "1"), [3, 5]),
        (("a-1", "--backwards", "--limit", "2"), [5, 3]),
        (("none-1",), []),
        (("--after", "3"), [4, 5]),
        (("--limit", "0"), []),
        (("--backwards", "--after", "2"), [5, 4, 3]),
        (("--category", "a"), [1, 3, 4, 5]),
        (("--category", "a", "--category", "b"), [1, 2, 3, 4, 5]),
        (("--category", "a", "--type", "X"), [1, 4, 5]),
        (("--stream", "a-2", "--stream", "b-1"), [2, 4]),
        (("--metadata", "tenant=1"), [1, 3, 5]),
        (("--metadata", 'tenant="1"'), []),
        (("--metadata", "name=1"), []),
        (("--metadata", 'name="1"', "--metadata", "tenant=1.0"), [1, 3, 5]),
        (("--since", "2000-01-01"), [1, 2, 3, 4, 5]),
        (("--until", "2000-01-01T00:00+01:00"), []),
        (("--since", "2999-01-01T00:00Z"), []),
    ],
)
def test_what_is_read(mink: Mink, args: tuple[str, ...], numbers: list[int]) -> None:
    result = mink("read", *args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [it["data"] for it in lines(result.stdout)] == numbers


def test_a_line_says_everything_of_its_event(mink: Mink, store: Store) -> None:
    [event] = store.read_stream("b-1")
    [line] = lines(mink("read", "b-1").stdout)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "stream_id": "b-1",
        "version": 1,
        "global_position": 2,
        "event_id": str(event.event_id),
        "type": "X",
        "data": 2,
        "metadata": {"tenant": 0, "name": "0"},
    }


@pytest.mark.parametrize(
    "args",
    [
        ("--limit", "-1"),
        ("--after", "-1"),
        ("--after", "x"),
        ("--metadata", "tenant"),
        ("--metadata", "tenant={}"),
        ("--since", "yesterday"),
        ("--since", "0001-01-01T00:00+14:00"),
        ("--until", "9999-12-31T23:59:59-14:00"),
        ("--metadata", "tenant=\udcff"),  # as Python gives an argument that is no UTF-8
        ("--category", "a-1"),
        ("a-1", "--type", "X"),
        ("-x-1",),
        ("a-1", "b-1"),
    ],
)
def test_wrong_arguments(mink: Mink, args: tuple[str, ...]) -> None:
    result = mink("read", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_position_from_another_history_is_refused(mink: Mink) -> None:
    result = mink("read", "--after", "99")
    assert result.exit_code == 1
    assert "position 99" in result.stderr


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        ((), ["a-1", "a-2", "b-1"]),
        (("--category", "a"), ["a-1", "a-2"]),
        (("--after", "a-1"), ["a-2", "b-1"]),
        (("--limit", "1"), ["a-1"]),
    ],
)
def test_streams(mink: Mink, args: tuple[str, ...], ids: list[str]) -> None:
    found = lines(mink("streams", *args).stdout)
    assert [it["stream_id"] for it in found] == ids
    assert found[0].keys() == {"stream_id", "category", "version", "created_at", "updated_at", "deleted_at"}


def test_info_of_a_stream(mink: Mink) -> None:
    [found] = lines(mink("info", "a-1").stdout)
    assert (found["stream_id"], found["category"], found["version"], found["deleted_at"]) == ("a-1", "a", 3, None)
    missing = mink("info", "a-9")
    assert missing.exit_code == 1
    assert missing.stderr == "mink: stream 'a-9' does not exist\n"


def test_info_of_a_store_names_who_holds_the_feed_back(mink: Mink, store: Store) -> None:
    with store.transaction() as transaction:
        transaction.append("slow-1", [NewEvent("X", 1)], expected_version=0)
        store.append("b-1", [NewEvent("X", 1)], expected_version=1)
        [found] = lines(mink("info").stdout)
    assert (found["head"], found["mark"], found["high"]) == (5, 5, 7)
    [holder] = found["holders"]
    assert holder["after_position"] == 5
    assert holder["seconds"] >= 0
    [after] = lines(mink("info").stdout)
    assert (after["head"], after["holders"]) == (7, [])
    assert (after["adapter"], after["store"], after["epoch"]) == ("memory", str(store.identity().store), 1)
    assert "append_batch" in after["capabilities"]
