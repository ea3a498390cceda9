"""JSON-01 and 04: what goes in comes out with the same types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal
from conformance_tests.looking import paged
from mink_core import ExpectedVersion

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY

INTS = (
    0,
    1,
    -1,
    2,
    10,
    2**31,
    -(2**31),
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    10**16,
    10**18,
    2**63 - 1,
    -(2**63),
)
FLOATS = (
    0.0,
    1.0,
    -1.0,
    0.5,
    0.1,
    0.1 + 0.2,
    1 / 3,
    1.5,
    100.0,
    1e15,
    1e16,
    -1e16,
    1e17,
    1.2345678901234567e18,
    9007199254740993.0,
    9.223372036854775807e18,
    1.8446744073709552e19,
    1e21,
    1e22,
    1.7e30,
    1e100,
    1e300,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    1e-5,
    1e-7,
    1.5e-7,
    1e-300,
    2.2250738585072014e-308,
    5e-324,
    123456.789,
)
TEXTS = (
    "",
    " ",
    "\t\n\r\b\f",
    "one\r\ntwo\rthree\n",
    " spaces ",
    "%s %% %(a)s ? :a $1 {x}",
    "\x01\x1f\x7f\x85",
    "\"\\/'",
    "\\u0000",
    "\\\\u0000",
    "\\ud800",
    "null",
    "1.0",
    "\u00e9",
    "e\u0301",
    "\u2028\u2029",
    "\ufeff",
    "\uffff",
    "\U0001f600",
    "\U0010ffff",
    "<script>&amp;</script>",
    "2024-01-01T00:00:00Z",
    "123e4567-e89b-12d3-a456-426614174000",
    "x" * 10_000,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    *INTS,
    *FLOATS,
    *TEXTS,
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    {"a": {}},
    [None, True, False, 0, 0.0, 1, 1.0, "1", [1], {"1": 1}],
    {"null": None, "true": True, "int": 1, "float": 1.0, "list": [1, 1.0, True], "object": {"1": 1, "1.0": 1.0}},
    {key: number for number, key in enumerate(TEXTS)},
    {"b": 1, "a": 2, "B": 3, "aa": 4, "\u00e9": 5, "e\u0301": 6},
    {"__proto__": 1, "$ref": 2, "a.b": 3, "a[0]": 4, "data": 5, "metadata": 6, "schema_version": 7},
    list(range(1000)),
    {str(number): float(number) for number in range(500)},
    [[[[1.0], 1], {"k": [1e16, 10**16]}], {"k": {"k": {"k": 1e300}}}],
)


@check("JSON-01")
def values_come_back_with_their_types(lab: Lab) -> None:
    """Every JSON value comes back equal and of the same types, as data and within metadata, by every way of reading."""
    store, other = lab.open(), lab.open()
    events = [lab.event(value, metadata={"k": value, "list": [value]}) for value in VALUES]
    store.append("order-1", events, expected_version=0)
    feed = list(other.read_all())
    polled: list[Any] = []
    while len(polled) < len(events):
        page = other.poll(polled[-1].global_position if polled else 0)
        if not page.events:
            break
        polled.extend(page.events)
    for stored in (list(store.read_stream("order-1")), feed, polled):
        equal(len(stored), len(VALUES), "how many events came back")
        for value, event in zip(VALUES, stored, strict=True):
            equal(event.data, value, f"data {value!r:.80}")
            equal(event.metadata, {"k": value, "list": [value]}, f"metadata holding {value!r:.80}")


@check("JSON-01")
def numbers_at_every_depth(lab: Lab) -> None:
    """Ints and floats keep their types inside objects and arrays at every depth."""
    store = lab.open()
    for number, value in enumerate((1, 1.0, True, 1e16, 10**16, 1e300, 1e-7)):
        nested: Any = value
        for depth in range(60):
            nested = {"k": nested, "n": value} if depth % 2 else [nested, value]
        store.append(f"deep-{number}", [lab.event(nested, metadata={"k": nested})], expected_version=0)
        event = next(store.read_stream(f"deep-{number}"))
        equal((event.data, event.metadata), (nested, {"k": nested}), f"{value!r} at depths up to 60")


@check("JSON-01")
def negative_zero_may_lose_its_sign_only(lab: Lab) -> None:
    """-0.0 comes back as a float that equals 0.0."""
    store = lab.open()
    store.append("order-1", [lab.event([-0.0], metadata={"k": -0.0})], expected_version=0)
    event = next(store.read_stream("order-1"))
    equal((event.data, event.metadata), ([0.0], {"k": 0.0}), "-0.0")


@check("JSON-04")
def absent_metadata_is_an_empty_object(lab: Lab) -> None:
    """Metadata that was not given, and {}, both come back as {}."""
    store = lab.open()
    store.append("order-1", [lab.event(1, metadata=None), lab.event(1, metadata={})], expected_version=0)
    for stored in (store.read_stream("order-1"), store.read_all(), paged(store, 0, 100)):
        equal([event.metadata for event in stored], [{}, {}], "metadata that was not given, and {}")
