"""JSON-02: what is no JSON value is refused, and nothing is converted in silence."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance_tests.check import check
from conformance_tests.expect import raises
from conformance_tests.looking import nothing_stored
from mink_core import Capability, ExpectedVersion, StreamAppend, UsageError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY


class _Text(str):
    __slots__ = ()


class _Int(int):
    pass


class _Float(float):
    pass


class _List(list[Any]):
    pass


class _Dict(dict[str, Any]):
    pass


class _Number(enum.IntEnum):
    ONE = 1


class _Word(enum.StrEnum):
    ONE = "one"


class _Pair(NamedTuple):
    one: int
    two: int


REFUSED: tuple[tuple[Any, str], ...] = (
    ((1, 2), "a tuple"),
    ((), "an empty tuple"),
    (_Pair(1, 2), "a named tuple"),
    ({1, 2}, "a set"),
    (frozenset({1}), "a frozenset"),
    (b"bytes", "bytes"),
    (bytearray(b"bytes"), "a bytearray"),
    (memoryview(b"bytes"), "a memoryview"),
    (decimal.Decimal("1.5"), "a Decimal"),
    (fractions.Fraction(1, 2), "a Fraction"),
    (1j, "a complex number"),
    (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "a datetime"),
    (dt.date(2024, 1, 1), "a date"),
    (dt.timedelta(1), "a timedelta"),
    (uuid.UUID(int=1), "a UUID"),
    (_Text("text"), "a subclass of str"),
    (_Int(1), "a subclass of int"),
    (_Float(1.5), "a subclass of float"),
    (_List(), "a subclass of list"),
    (_Dict(), "a subclass of dict"),
    (collections.OrderedDict(a=1), "an OrderedDict"),
    (collections.defaultdict(int), "a defaultdict"),
    (_Number.ONE, "an IntEnum"),
    (_Word.ONE, "a StrEnum"),
    (range(3), "a range"),
    (iter([1]), "an iterator"),
    (object(), "an object"),
    (ANY, "an Enum"),
    (int, "a class"),
    (float("nan"), "NaN"),
    (float("inf"), "infinity"),
    (float("-inf"), "negative infinity"),
    (2**63, "an int above 64 bits"),
    (-(2**63) - 1, "an int below 64 bits"),
    (2**64, "an int of 65 bits"),
    (10**400, "a huge int"),
    ("nul \0 inside", "a str with NUL"),
    ("\0", "a str of NUL"),
    ("\ud800", "a lone high surrogate"),
    ("a\udfff", "a lone low surrogate"),
    ("\ude00\ud83d", "surrogates in the wrong order"),
    ("\ud83d\ude00", "a surrogate pair as two characters"),
)

BAD_KEYS: tuple[tuple[Any, str], ...] = (
    (1, "an int key"),
    (1.5, "a float key"),
    (True, "a bool key"),
    (None, "a None key"),
    (b"k", "a bytes key"),
    ((1, 2), "a tuple key"),
    (uuid.UUID(int=1), "a UUID key"),
    (_Text("k"), "a key of a subclass of str"),
    (_Word.ONE, "a StrEnum key"),
    ("nul\0", "a key with NUL"),
    ("\ud800", "a key with a lone surrogate"),
)


@check("JSON-02", "JSON-01")
def other_values_are_refused(lab: Lab) -> None:
    """What is no JSON value, subclasses included, is a UsageError wherever it stands, and stores nothing."""
    store = lab.open()
    with nothing_stored(store, "values that are no JSON"):
        for value, what in REFUSED:
            places: tuple[tuple[Any, Any, str], ...] = (
                (value, None, "as data"),
                ([0, value], None, "in a list"),
                ({"ok": 1, "bad": value}, None, "in a dict"),
                ([{"k": [{"k": value}]}], None, "deep inside"),
                (1, {"k": value}, "in metadata"),
                (1, {"k": [1, {"k": value}]}, "deep inside metadata"),
            )
            for data, metadata, where in places:
                with raises(UsageError, f"{what} {where}"):
                    store.append("order-1", [lab.event(data, metadata=metadata)], expected_version=ANY)


@check("JSON-02")
def other_keys_are_refused(lab: Lab) -> None:
    """A key that is not exactly a str, or holds NUL or a lone surrogate, is a UsageError at every depth."""
    store = lab.open()
    with nothing_stored(store, "keys that are no JSON"):
        for key, what in BAD_KEYS:
            bad: Any = {"ok": 1, key: 1}
            for data, metadata in (
                (bad, None),
                ([bad], None),
                ({"k": [{"k": bad}]}, None),
                (1, bad),
                (1, {"k": [bad]}),
            ):
                with raises(UsageError, what):
                    store.append("order-1", [lab.event(data, metadata=metadata)], expected_version=ANY)


@check("JSON-02")
def refusals_tell_the_path(lab: Lab) -> None:
    """The message names the keys and indexes that lead to what was refused, and whether it was data or metadata."""
    store = lab.open()
    for bad in (object(), 2**63, float("nan"), "nul \0", "\ud800", (1,)):
        for data, metadata, parts in (
            ({"items": [1, {"price": bad}]}, None, ("data", "items", "1", "price")),
            (1, {"items": [1, {"price": bad}]}, ("metadata", "items", "1", "price")),
        ):
            for part in parts:
                with raises(UsageError, f"{bad!r} at {parts}", says=part):
                    store.append("order-1", [lab.event(data, metadata=metadata)], expected_version=ANY)


@check("JSON-02", needs={Capability.APPEND_BATCH})
def a_batch_refuses_the_same_values(lab: Lab) -> None:
    """A batch is held to the same values, in each of its items."""
    store = lab.open()
    with nothing_stored(store, "a batch of values that are no JSON"):
        for value, what in REFUSED:
            with raises(UsageError, f"{what} in a batch"):
                store.append_batch([StreamAppend("a-1", lab.events(1), 0), StreamAppend("b-1", [lab.event(value)], 0)])
