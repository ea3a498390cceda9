"""What comes out equals what went in, with the same types at every depth, on every door (JSON-01 to 04)."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mink_core import ExpectedVersion, NewEvent, UsageError
from mink_core.json_codec import decode_json, encode_json

if TYPE_CHECKING:
    from tests.adapters.doors import Door

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
tricky_floats = st.sampled_from(
    [1e16, -1e16, 1.2345678901234567e18, 1e300, 1.7976931348623157e308, 5e-324, 1e-7, 0.1, 1.0, 9007199254740993.0]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1, 10**16, 10**18]),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number != 0),
    tricky_floats,
    text,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)


def typed(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and True differ when compared."""
    if isinstance(value, dict):
        return ("dict", {key: typed(item) for key, item in value.items()})
    if isinstance(value, list):
        return ("list", [typed(item) for item in value])
    return (type(value).__name__, value)


def nested(depth: int) -> Any:
    value: Any = []
    for level in range(depth - 1):
        value = {"k": value} if level % 2 else [value]
    return value


def round_trip(door: Door, payloads: list[Any], metadata: list[Any]) -> None:
    """One open store for many examples: each example is one append of many values to its own stream."""
    events = [NewEvent("Made", data, meta) for data, meta in zip(payloads, metadata, strict=True)]
    stream = f"json-{uuid.uuid4().hex}"

    async def scenario(store: Any) -> None:
        done = store.append(stream, events, expected_version=ExpectedVersion.NO_STREAM)
        if inspect.isawaitable(done):
            await done
            read = [event async for event in store.read_stream(stream)]
        else:
            read = list(store.read_stream(stream))
        for given_event, stored in zip(events, read, strict=True):
            assert typed(stored.data) == typed(given_event.data)
            assert typed(stored.metadata) == typed(given_event.metadata or {})

    if door.is_async:
        door.run(scenario)
    else:
        door.run(lambda store: asyncio.run(scenario(store)))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(values, st.none() | st.dictionaries(text, values, max_size=3)), min_size=1, max_size=60))
def test_round_trip(door: Door, pairs: list[Any]) -> None:
    round_trip(door, [data for data, _ in pairs], [meta for _, meta in pairs])


def test_the_known_traps(door: Door) -> None:
    traps = [
        1e16, 1e15, 1.2345678901234567e18, 1e300, 5e-324, 1.0, 1, True, None, "", {}, [], "\u00e9", "e\u0301",
        "\U0001f600", "\u2028", "\x7f", "\\u0000", '"', {"": 1}, {"a": {"a": [[], {}]}}, 2**63 - 1, -(2**63), nested(128),
    ]  # fmt: skip
    round_trip(door, traps, [None, {}, {"k": 1e16}, *[{"n": 1.0}] * (len(traps) - 3)])


@given(values)
@settings(max_examples=300, deadline=None)
def test_the_codec_alone(value: Any) -> None:
    assert typed(decode_json(encode_json(value))) == typed(value)


class Point(NamedTuple):
    x: int


class Color(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


REFUSED = [
    (1, 2), Point(1), Color.RED, Number.ONE, Text("a"), Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC), uuid.UUID(int=4), b"x", {1},
    float("nan"), float("inf"), float("-inf"), 2**63, -(2**63) - 1, 2**70, "a\0b", "\ud800", {1: 2}, {"a\0": 1},
    {"\udc00": 1}, {Color.RED: 1}, {None: 1}, object(), nested(129),
]  # fmt: skip


@pytest.mark.parametrize(
    "value", REFUSED, ids=[repr(value).partition(" at 0x")[0][:30].replace("\0", "NUL") for value in REFUSED]
)
@pytest.mark.parametrize("place", ["top", "deep", "metadata"])
def test_what_is_not_json_is_refused_with_its_path(value: Any, place: str) -> None:
    if place == "top":
        with pytest.raises(UsageError, match=r"^data"):
            encode_json(value)
        return
    wrapped = {"items": [0, {"price": value}]}
    what = "metadata" if place == "metadata" else "data"
    with pytest.raises(UsageError) as refused:
        encode_json(wrapped, what)
    assert f"{what}['items'][1]['price']" in str(refused.value)


def test_limits_are_refused_with_the_limit_in_the_message() -> None:
    assert decode_json(encode_json("x" * (8 * 1024 * 1024 - 2)))
    with pytest.raises(UsageError, match="8388608"):
        encode_json("x" * (8 * 1024 * 1024 - 1))
    with pytest.raises(UsageError, match="128"):
        encode_json(nested(129))
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="128"):
        encode_json(loop)
