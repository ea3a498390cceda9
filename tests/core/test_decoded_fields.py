"""An event's JSON is decoded when it is first looked at, in C as in Python."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from mink_core import StoredEvent, compiled
from tests.compiled import needs_compiled


class Holder(msgspec.Struct):
    value: Any


SLOT = Holder.__dict__["value"]
_made: Any = StoredEvent


def event(data: Any, metadata: Any) -> StoredEvent:
    made: StoredEvent = _made("order-1", 2, 3, UUID(int=7), "Made", data, metadata, datetime(2026, 11, 30, tzinfo=UTC))
    return made


def raw(text: str) -> Any:
    return msgspec.Raw(text)


_BEHAVIOUR = """
import copy, pickle, msgspec
from tests.core.test_decoded_fields import event, raw
from mink_core import StoredEvent, compiled

one = event(raw('{"n": [1]}'), raw("null"))
assert one.data == {"n": [1]} and one.metadata == {}
one.data["n"].append(2)
one.metadata["k"] = 3
assert one.data == {"n": [1, 2]} and one.metadata == {"k": 3}
assert event(raw("null"), raw("{}")).data is None
given = [1]
assert event(given, {}).data is given
assert "{'n': [1, 2]}" in repr(one)
for again in (copy.copy(one), pickle.loads(pickle.dumps(one)), msgspec.structs.replace(one, version=2)):
    assert again == one
assert event(raw("[1]"), raw("{}")) == event([1], {})
assert msgspec.json.encode(event(raw("[1]"), raw("{}"))) == msgspec.json.encode(event([1], {}))
bad = event(raw("[1"), raw("[2"))
for _ in range(2):
    for name in ("data", "metadata"):
        try:
            getattr(bad, name)
        except msgspec.DecodeError:
            pass
        else:
            raise AssertionError(name)
        try:
            setattr(one, name, 1)
        except AttributeError:
            pass
        else:
            raise AssertionError(name)
assert StoredEvent.data.__doc__.startswith("Any JSON value")
assert StoredEvent.metadata.__doc__.startswith("A JSON object")
print(compiled.is_compiled)
"""


@pytest.mark.parametrize("pure", ["1", "0"])
def test_it_means_the_same_in_python_and_in_c(pure: str) -> None:
    environment = {**os.environ, "MINK_PURE_PYTHON": pure}
    done = subprocess.run(
        [sys.executable, "-c", _BEHAVIOUR], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(pure == "0" and compiled.is_compiled)


@needs_compiled
def test_it_decodes_once_and_keeps_nothing() -> None:
    assert compiled.DecodedField is not None
    asked: list[Any] = []
    decoded = object()

    def decode(value: Any) -> Any:
        asked.append(value)
        return decoded

    def fget(holder: Holder) -> Any:
        """Of a slot."""

    field: Any = compiled.DecodedField(SLOT, msgspec.Raw, decode, fget, False)
    things = (SLOT, msgspec.Raw, decode, decoded, fget, fget.__doc__, type(field), Holder)
    undecoded = raw("1")
    before = [sys.getrefcount(thing) for thing in things]
    for _ in range(100):
        holder = Holder(undecoded)
        assert field.__get__(holder) is field.__get__(holder) is decoded
        assert asked == [undecoded]
        asked.clear()
        other: Any = compiled.DecodedField(SLOT, msgspec.Raw, decode, fget, True)
        assert other.__get__(None, Holder) is other
        assert other.__doc__ is fget.__doc__
        assert other.fget is fget
    del holder, other
    gc.collect()
    assert [sys.getrefcount(thing) for thing in things] == before
    assert sys.getrefcount(undecoded) == 2


@needs_compiled
def test_what_cannot_be_decoded_stays_as_it_is() -> None:
    assert compiled.DecodedField is not None

    def decode(value: Any) -> Any:
        raise LookupError(value)

    field: Any = compiled.DecodedField(SLOT, msgspec.Raw, decode, repr, False)
    undecoded = raw("1")
    holder = Holder(undecoded)
    for _ in range(50):
        with pytest.raises(LookupError):
            field.__get__(holder)
    assert holder.value is undecoded
    del holder
    gc.collect()
    assert sys.getrefcount(undecoded) == 2


@needs_compiled
@pytest.mark.parametrize(
    "args", [(), (SLOT,), (SLOT, msgspec.Raw, repr, repr), (5, msgspec.Raw, repr, repr, False), (repr,) * 5]
)
def test_wrong_arguments_are_refused(args: tuple[Any, ...]) -> None:
    made: Any = compiled.DecodedField
    with pytest.raises(TypeError):
        made(*args)
    with pytest.raises(TypeError):
        made(SLOT, msgspec.Raw, repr, repr, or_empty=False)


@needs_compiled
def test_an_object_without_the_slot_is_refused() -> None:
    field: Any = compiled.DecodedField and compiled.DecodedField(SLOT, msgspec.Raw, repr, repr, False)
    with pytest.raises(TypeError):
        field.__get__(object())
