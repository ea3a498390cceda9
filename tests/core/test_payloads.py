"""Typed payloads on a store: three kinds of class, upcasting, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest

from mink_core import NewEvent, TypedPayloads, UsageError, open_store


@dataclass
class Line:
    sku: str
    count: int


@dataclass
class Placed:
    order_id: int
    lines: list[Line]
    note: str | None = None


class Paid(msgspec.Struct):
    amount: float


class Shipped(pydantic.BaseModel):
    carrier: str
    parcels: list[int]


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Measured:
    pair: tuple[int, str]
    points: list[Point]
    more: dict[str, tuple[tuple[float, ...], ...]]


class Mixed(Enum):
    TEXT = "text"
    NUMBER = 1


@dataclass
class Ambiguous:
    when: str | datetime


@dataclass
class Coloured:
    colour: Mixed


@dataclass
class Keyed:
    cells: dict[tuple[int, int], int]


class Excluding(pydantic.BaseModel):
    secret: int = pydantic.Field(exclude=True)


@pytest.fixture
def payloads() -> TypedPayloads:
    made = TypedPayloads()
    made.register("Placed")(Placed)
    made.register("Paid")(Paid)
    made.register("Shipped")(Shipped)
    made.register("Measured")(Measured)
    return made


@pytest.mark.parametrize(
    ("event_type", "payload", "stored"),
    [
        (
            "Placed",
            Placed(7, [Line("a", 2)]),
            {"order_id": 7, "lines": [{"sku": "a", "count": 2}], "note": None},
        ),
        ("Paid", Paid(1e16), {"amount": 1e16}),
        (
            "Measured",
            Measured((1, "a"), [Point(1, 2)], {"k": ((1.5,),)}),
            {"pair": [1, "a"], "points": [[1, 2]], "more": {"k": [[1.5]]}},
        ),
        ("Shipped", Shipped(carrier="x", parcels=[1, 2]), {"carrier": "x", "parcels": [1, 2]}),
        ("Unregistered", {"as": ["it", 1.0]}, {"as": ["it", 1.0]}),
    ],
)
def test_objects_go_in_and_come_out(payloads: TypedPayloads, event_type: str, payload: Any, stored: Any) -> None:
    name = f"memory://payloads-{event_type}"
    with open_store(name, transforms=[payloads]) as store, open_store(name) as plain:
        store.append("order-1", [NewEvent(event_type, payload, {"user_id": "u"})], expected_version=0)
        [event] = store.read_stream("order-1")
        [raw] = plain.read_stream("order-1")
    assert type(event.data) is type(payload)
    assert event.data == payload
    assert raw.data == stored
    registered = event_type != "Unregistered"
    assert raw.metadata == {"user_id": "u"} | ({"schema_version": 1} if registered else {})


def test_a_repeated_call_is_recognized_through_the_transform(payloads: TypedPayloads) -> None:
    with open_store("memory://", transforms=[payloads]) as store:
        event = NewEvent("Paid", Paid(2.0))
        first = store.append("order-1", [event], expected_version=0)
        assert store.append("order-1", [event], expected_version=0) == first


class PaidV3(msgspec.Struct):
    amount: int
    currency: str


def test_old_events_are_lifted_step_by_step() -> None:
    newest = TypedPayloads()
    newest.register("Paid", schema_version=3)(PaidV3)
    newest.upcaster("Paid", from_version=1)(lambda data: {"amount": round(data["amount"] * 100)})
    newest.upcaster("Paid", from_version=2)(lambda data: data | {"currency": "EUR"})
    with open_store("memory://lifted") as plain, open_store("memory://lifted", transforms=[newest]) as store:
        plain.append(
            "order-1",
            [NewEvent("Paid", {"amount": 1.5}), NewEvent("Paid", {"amount": 250}, {"schema_version": 2})],
            expected_version=0,
        )
        store.append("order-1", [NewEvent("Paid", PaidV3(3, "USD"))], expected_version=2)
        data = [event.data for event in store.read_stream("order-1")]
        assert data == [PaidV3(150, "EUR"), PaidV3(250, "EUR"), PaidV3(3, "USD")]
        [*_, raw] = plain.read_stream("order-1")
        assert raw.metadata == {"schema_version": 3}
        # What is stored never changes.
        [first, *_] = plain.read_stream("order-1")
        assert first.data == {"amount": 1.5}


@pytest.mark.parametrize(
    ("data", "version", "says"),
    [
        ({"amount": 1.5}, 2, "knows up to 1"),
        ({"amount": 1.5}, True, "schema version True"),
        ({"amount": "much"}, 1, "does not fit Paid"),
        ({}, 1, "does not fit Paid"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(payloads: TypedPayloads, data: Any, version: Any, says: str) -> None:
    name = f"memory://unfit-{abs(hash((str(data), str(version))))}"
    with open_store(name) as plain, open_store(name, transforms=[payloads]) as store:
        plain.append("order-1", [NewEvent("Paid", data, {"schema_version": version})], expected_version=0)
        with pytest.raises(UsageError, match=says) as refused:
            list(store.read_stream("order-1"))
    assert "event 'Paid' at position 1" in str(refused.value)


def test_a_missing_step_is_named() -> None:
    newest = TypedPayloads()
    newest.register("Paid", schema_version=3)(PaidV3)
    newest.upcaster("Paid", from_version=1)(lambda data: data)
    with open_store("memory://gap") as plain, open_store("memory://gap", transforms=[newest]) as store:
        plain.append("order-1", [NewEvent("Paid", {"amount": 1})], expected_version=0)
        with pytest.raises(UsageError, match="register an upcaster from version 2"):
            list(store.read_stream("order-1"))


def test_another_object_is_refused_before_anything_is_stored(payloads: TypedPayloads) -> None:
    with open_store("memory://", transforms=[payloads]) as store:
        for wrong in ({"amount": 1.0}, Placed(1, []), None):
            with pytest.raises(UsageError, match="Paid is registered for it"):
                store.append("order-1", [NewEvent("Paid", wrong)], expected_version=0)
        assert list(store.read_stream("order-1")) == []


@pytest.mark.parametrize(
    "payload",
    [
        Placed("7", []),  # type: ignore[arg-type]  # what a class does not look at
        Placed(7, [Line("a", 1.5)]),  # type: ignore[arg-type]  # as above
        Paid(None),  # type: ignore[arg-type]  # as above
        Shipped.model_construct(carrier=1, parcels=[]),
        Ambiguous("2020-01-01"),
        Coloured(Mixed.TEXT),
        Keyed({(1, 2): 3}),
        Excluding(secret=1),
    ],
    ids=lambda payload: type(payload).__name__,
)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_object_that_could_not_be_read_back_is_refused_before_it_is_stored(payload: Any) -> None:
    payloads = TypedPayloads()
    payloads.register("It")(type(payload))
    with open_store("memory://", transforms=[payloads]) as store:
        with pytest.raises(UsageError, match="could not be read back") as refused:
            store.append("order-1", [NewEvent("It", payload)], expected_version=0)
        assert "event 'It' for stream 'order-1'" in str(refused.value)
        assert store.head_position() == 0


def test_metadata_that_is_no_object_is_refused_as_without_the_transform(payloads: TypedPayloads) -> None:
    with open_store("memory://", transforms=[payloads]) as store:
        for wrong in ([], "", ["ab"], 0, ()):
            with pytest.raises(UsageError, match="metadata must be a dict or None"):
                store.append("order-1", [NewEvent("Paid", Paid(1.0), wrong)], expected_version=0)  # type: ignore[arg-type]  # refused


def test_registration_is_checked(payloads: TypedPayloads) -> None:
    with pytest.raises(UsageError, match="registered already"):
        payloads.register("Paid")
    with pytest.raises(UsageError, match="below 1"):
        payloads.register("New", schema_version=0)
    with pytest.raises(UsageError, match="no dataclass"):
        payloads.register("New")(dict)
    payloads.upcaster("Paid", from_version=1)(lambda data: data)
    with pytest.raises(UsageError, match="already"):
        payloads.upcaster("Paid", from_version=1)


def test_an_upcaster_keeps_its_own_type(payloads: TypedPayloads) -> None:
    """For the type checkers, which look at this file: what is returned may be said as narrowly as it is."""

    @payloads.upcaster("Paid", from_version=1)
    def in_cents(data: dict[str, float]) -> dict[str, int]:
        return {"amount": round(data["amount"] * 100)}

    lifted: dict[str, int] = in_cents({"amount": 1.5})
    assert lifted == {"amount": 150}
