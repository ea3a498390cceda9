"""The part in C says of every value what the walk in Python says, and lets go of all that it touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import OrderedDict
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mink_core import UsageError, compiled, json_codec
from mink_core.limits import MAX_JSON_DEPTH
from tests.compiled import needs_compiled


class Number(IntEnum):
    ONE = 1


class Color(StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


STRANGE = [
    (1, 2), Number.ONE, Color.RED, Text("a"), b"x", {1}, object(), OrderedDict(a=1), float("nan"), float("inf"), 1e16, -1e16,
    1e300, 9999999999999998.0, 2**63, -(2**63) - 1, 2**63 - 1, -(2**63), 2**200, -(2**200), "a\0b", "\ud800", "\\u0000",
    {1: 2}, {None: 1}, {Text("a"): 1}, {Color.RED: 1}, {"a\0": 1}, {"\udc00": 1}, complex(1), range(3),
]  # fmt: skip
strange = st.sampled_from(STRANGE)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-9e15, 9e15) | st.text(max_size=8)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.text(max_size=4)
    return st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5) | st.tuples(inner)


values = st.recursive(plain, _containers, max_leaves=20)
mixed = st.recursive(plain | strange, _containers, max_leaves=20)


def nested(depth: int, innermost: Any) -> Any:
    value = innermost
    for level in range(depth):
        value = {"k": value} if level % 2 else [value]
    return value


def _needs_no_closer_look(value: Any) -> bool:
    try:
        return not json_codec._check_closely(value, "data")
    except UsageError:
        return False


@needs_compiled
@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
def test_each_strange_value_is_judged_as_by_the_walk_in_python(value: Any) -> None:
    for held in (value, [value], {"k": value}, [1, [value]], {"k": [{}, value]}):
        assert compiled.is_plain_json(held, MAX_JSON_DEPTH) is _needs_no_closer_look(held)


@needs_compiled
@given(values | mixed)
@settings(max_examples=2000, deadline=None)
def test_it_says_what_the_walk_in_python_says(value: Any) -> None:
    assert compiled.is_plain_json(value, MAX_JSON_DEPTH) is _needs_no_closer_look(value)


@needs_compiled
@pytest.mark.parametrize("innermost", [[], {}, [1], {"a": None}, 1, "x", None, (1,)])
@pytest.mark.parametrize("depth", [0, 1, 126, 127, 128, 129, 10_000])
def test_it_counts_levels_as_the_walk_in_python_does(depth: int, innermost: Any) -> None:
    value = nested(depth, innermost)
    assert compiled.is_plain_json(value, MAX_JSON_DEPTH) is _needs_no_closer_look(value)


@given(values | mixed)
@settings(max_examples=500, deadline=None)
def test_what_is_stored_or_refused_is_the_same_without_it(value: Any) -> None:
    def told() -> str:
        try:
            return json_codec.encode_json(value)
        except UsageError as error:
            return f"refused: {error}"

    with_it = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_codec, "is_plain_json", compiled._look_closely)
        assert told() == with_it


@needs_compiled
def test_it_keeps_nothing() -> None:
    leaf, key, number, huge = object(), "a key of its own", 12345678901, 2**80
    value = {key: [leaf, number, huge, 1.5, {"k": [number]}], "b": (number,)}
    things = (leaf, key, number, huge, value, value[key])
    before = [sys.getrefcount(thing) for thing in things]
    for _ in range(1000):
        assert not compiled.is_plain_json(value, 128)
        assert not compiled.is_plain_json([huge], 128)
        assert compiled.is_plain_json([number, {key: number}], 128)
    assert [sys.getrefcount(thing) for thing in things] == before


@needs_compiled
@pytest.mark.parametrize("args", [(), ({},), ({}, 1, 2), ({}, "1"), ({}, 2**70)])
def test_wrong_arguments_are_refused(args: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, OverflowError)):
        compiled.is_plain_json(*args)


@needs_compiled
def test_a_value_that_holds_itself_ends_at_the_limit() -> None:
    value: list[Any] = []
    value.append(value)
    assert compiled.is_plain_json(value, MAX_JSON_DEPTH) is False
    with pytest.raises(UsageError, match="nested deeper"):
        json_codec.encode_json(value)


_WITHOUT = """
from mink_core import ExpectedVersion, NewEvent, compiled, open_store
assert not compiled.is_compiled
with open_store("memory://") as store:
    store.append("a-1", [NewEvent("Made", {"n": [1, 1e20, "x"]}, {"m": None})], expected_version=ExpectedVersion.NO_STREAM)
    [event] = store.read_all()
    assert (event.data, event.metadata) == ({"n": [1, 1e20, "x"]}, {"m": None})
"""


def test_a_setting_turns_it_off() -> None:
    environment = {**os.environ, "MINK_PURE_PYTHON": "1"}
    subprocess.run([sys.executable, "-c", _WITHOUT], check=True, env=environment)


_OF_ANOTHER_SOURCE = """
import sys, types
sys.modules["mink_core._compiled"] = types.ModuleType("mink_core._compiled")
from mink_core import compiled
assert not compiled.is_compiled
assert compiled.is_plain_json({}, 1) is False
"""


def test_what_was_compiled_of_another_source_and_lacks_something_is_left_alone() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MINK_PURE_PYTHON"}
    subprocess.run([sys.executable, "-c", _OF_ANOTHER_SOURCE], check=True, env=environment)


def test_the_kit_holds_without_it() -> None:
    command = [sys.executable, "-m", "conformance_tests", "memory://", "--level", "smoke", "--rules", "JSON-*"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "MINK_PURE_PYTHON": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
