"""`mink append`: options and lines in, what was stored out, expectations kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from mink_core import ExpectedVersion, NewEvent
from tests.cli.conftest import jsonl, lines

if TYPE_CHECKING:
    from mink_core import Store
    from tests.cli.conftest import Mink


def test_one_event_by_options(mink: Mink, store: Store) -> None:
    args = ("--type", "Placed", "--data", '{"total": 12.0}', "--metadata", '{"user_id": "u1"}')
    result = mink("append", "order-1", "--expect", "none", *args)
    assert (result.exit_code, result.stderr) == (0, "")
    [event] = store.read_stream("order-1")
    assert (event.event_type, event.data, event.metadata) == ("Placed", {"total": 12.0}, {"user_id": "u1"})
    assert type(event.data["total"]) is float
    assert lines(result.stdout) == [
        {
            "stream_id": "order-1",
            "first_version": 1,
            "last_version": 1,
            "first_position": event.global_position,
            "last_position": event.global_position,
            "event_ids": [str(event.event_id)],
        }
    ]


def test_lines_of_stdin_are_one_call(mink: Mink, store: Store) -> None:
    event_id = str(uuid4())
    given = jsonl({"type": "A", "data": None}, {"type": "B", "data": [1], "event_id": event_id})
    result = mink("append", "order-1", "--expect", "0", given="\n" + given)
    assert result.exit_code == 0
    assert [(it.event_type, it.data) for it in store.read_stream("order-1")] == [("A", None), ("B", [1])]
    assert lines(result.stdout)[0]["event_ids"][1] == event_id


def test_lines_as_an_editor_on_windows_leaves_them(mink: Mink, store: Store) -> None:
    given = '\ufeff{"type": "A", "data": 1}\r\n{"type": "B", "data": 2}\r\n\r\n'
    done = mink("append", "a-1", "--expect", "none", given=given)
    assert done.exit_code == 0, done.stderr
    assert [event.event_type for event in store.read_stream("a-1")] == ["A", "B"]


def test_nothing_is_stored_when_a_later_line_is_wrong(mink: Mink, store: Store) -> None:
    result = mink("append", "order-1", "--expect", "any", given=jsonl({"type": "A", "data": 1}) + "{\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("mink: line 2 of the input is not JSON")
    assert list(store.read_all()) == []


def test_several_streams_are_all_or_nothing(mink: Mink, store: Store) -> None:
    given = [{"stream_id": stream, "type": "A", "data": 1} for stream in ("a-1", "b-1", "b-1", "a-1")]
    result = mink("append", "--expect", "none", given=jsonl(*given))
    assert result.exit_code == 0, result.stderr
    assert [(it.stream_id, it.version) for it in store.read_all()] == [("a-1", 1), ("b-1", 1), ("b-1", 2), ("a-1", 2)]
    assert [it["stream_id"] for it in lines(result.stdout)] == ["a-1", "b-1", "a-1"]

    again = mink("append", "--expect", "none", given=jsonl({**given[0], "stream_id": "c-1"}, given[0]))
    assert again.exit_code == 1
    assert list(store.read_stream("c-1")) == []


@pytest.mark.parametrize(
    ("expect", "before", "code"),
    [
        ("any", 0, 0),
        ("any", 2, 0),
        ("none", 0, 0),
        ("none", 1, 1),
        ("exists", 0, 1),
        ("exists", 1, 0),
        ("0", 0, 0),
        ("2", 2, 0),
        ("1", 2, 1),
        ("-1", 0, 2),
        ("True", 0, 2),
        ("²", 0, 2),
        ("latest", 0, 2),
    ],
)
def test_expectations(mink: Mink, store: Store, expect: str, before: int, code: int) -> None:
    for _ in range(before):
        store.append("order-1", [NewEvent("A", 1)], expected_version=ExpectedVersion.ANY)
    result = mink("append", "order-1", "--expect", expect, "--type", "T", "--data", "1")
    assert result.exit_code == code, result.stderr
    assert len(list(store.read_stream("order-1"))) == before + (code == 0)


def test_an_expectation_is_required(mink: Mink, store: Store) -> None:
    result = mink("append", "order-1", "--type", "T", "--data", "1")
    assert result.exit_code == 2
    assert "--expect" in result.stderr
    assert store.head_position() == 0


def test_in_batches_the_exact_expectation_goes_on(mink: Mink, store: Store) -> None:
    store.append("order-1", [NewEvent("A", 0)], expected_version=0)
    given = jsonl(*({"type": "A", "data": n} for n in range(1, 6)))
    result = mink("append", "order-1", "--expect", "1", "--batch", "2", given=given)
    assert [(it["first_version"], it["last_version"]) for it in lines(result.stdout)] == [(2, 3), (4, 5), (6, 6)]
    assert [it.data for it in store.read_stream("order-1")] == [0, 1, 2, 3, 4, 5]


def test_a_repeat_with_the_same_ids_stores_nothing_twice(mink: Mink, store: Store) -> None:
    given = jsonl(*({"type": "A", "data": n, "event_id": str(uuid4())} for n in range(3)))
    first = mink("append", "order-1", "--expect", "none", "--batch", "2", given=given)
    second = mink("append", "order-1", "--expect", "none", "--batch", "2", given=given)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == second.stdout
    assert len(list(store.read_all())) == 3


def test_more_than_one_call_holds_is_refused_with_the_way_out(mink: Mink, store: Store) -> None:
    given = jsonl({"type": "A", "data": 1}) * 10_001
    result = mink("append", "order-1", "--expect", "none", given=given)
    assert result.exit_code == 2
    assert "--batch" in result.stderr
    assert mink("append", "order-1", "--expect", "none", "--batch", "10000", given=given).exit_code == 0
    assert store.stream_info("order-1").version == 10_001


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"type": "A"}', "has no 'data'"),
        ('{"data": 1}', "has no 'type'"),
        ('{"type": "A", "data": 1, "metdata": {}}', "has 'metdata'"),
        ('{"type": "A", "data": 1, "event_id": "7"}', "event_id must be a UUID"),
        ('{"type": "A", "data": 1, "event_id": 7}', "event_id must be a UUID"),
        ("[1]", "must be a JSON object"),
        ("nonsense", "is not JSON"),
        ('{"type": "A", "data": NaN}', "is not JSON"),
        ('{"type": "A", "data": 36893488147419103232}', "64-bit"),
        ('{"type": 1, "data": 1}', "event type must be a str"),
        ('{"type": "A", "data": 1, "metadata": [1]}', "metadata must be a dict"),
        ("[" * 20_000, "is not JSON"),
        ("", "no event"),
    ],
)
def test_a_wrong_line_is_a_wrong_use(mink: Mink, store: Store, line: str, said: str) -> None:
    result = mink("append", "order-1", "--expect", "any", given=line)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert store.head_position() == 0


@pytest.mark.parametrize(
    "args",
    [
        ("--type", "T", "--data", "1"),
        ("order-1", "--type", "T"),
        ("order-1", "--data", "1"),
        ("order-1", "--type", "T", "--data", "{"),
        ("order-1", "--type", "T", "--data", "1", "--metadata", "{"),
        ("-order", "--type", "T", "--data", "1"),
        ("order-1", "--batch", "0"),
    ],
)
def test_wrong_arguments(mink: Mink, store: Store, args: tuple[str, ...]) -> None:
    result = mink("append", "--expect", "any", *args, given="")
    assert result.exit_code == 2
    assert result.stderr
    assert "Traceback" not in result.stderr
    assert store.head_position() == 0


def test_without_stream_a_line_must_name_one(mink: Mink, store: Store) -> None:
    given = jsonl({"stream_id": "a-1", "type": "A", "data": 1}, {"type": "A", "data": 1})
    result = mink("append", "--expect", "any", given=given)
    assert result.exit_code == 2
    assert "which stream?" in result.stderr
    assert store.head_position() == 0


def test_what_read_prints_goes_back_in_with_every_type_kept(mink: Mink, store: Store) -> None:
    data = {"int": 1, "float": 1.0, "large": 1e16, "tiny": 5e-324, "text": "é\u2028\x7f😀", "deep": [[{"a": None}]]}
    store.append("order-1", [NewEvent("A", data, {"tenant": 7, "flag": True})], expected_version=0)
    printed = mink("read", "order-1").stdout
    result = mink("append", "copy-1", "--expect", "none", given=printed)
    assert result.exit_code == 0, result.stderr
    [copy], [original] = store.read_stream("copy-1"), store.read_stream("order-1")
    assert json.dumps([copy.data, copy.metadata]) == json.dumps([original.data, original.metadata])
    assert (copy.event_id, copy.event_type) == (original.event_id, original.event_type)
