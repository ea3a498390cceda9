"""Pydantic models whose fields have other names outside, or other forms: what is stored can be read."""

from __future__ import annotations

import inspect
from typing import Any

import pydantic
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, Json

from mink_core import NewEvent, TypedPayloads, UsageError, open_store

BY_NAME = "by_name" in inspect.signature(BaseModel.model_validate).parameters
needs_by_name = pytest.mark.skipif(not BY_NAME, reason="pydantic 2.11 and newer read by name what has an alias")


class Aliased(BaseModel):
    model_config = ConfigDict(extra="forbid")
    order_id: int = Field(alias="orderId")


class Defaulted(BaseModel):
    order_id: int = Field(0, alias="orderId")


class ForReading(BaseModel):
    order_id: int = Field(validation_alias="orderId")


class Chosen(BaseModel):
    order_id: int = Field(validation_alias=AliasChoices("orderId", AliasPath("order", "id")))


class ForWriting(BaseModel):
    order_id: int = Field(serialization_alias="orderId")


class Differing(BaseModel):
    order_id: int = Field(validation_alias="orderId", serialization_alias="id")


class Populated(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    order_id: int = Field(alias="orderId")


class Outer(BaseModel):
    items: list[Aliased]
    main: Defaulted


class Texts(BaseModel):
    blob: Json[Any]


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.x * 2


class WrittenByAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    order_id: int = Field(alias="orderId")


class NotReadByItsAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    order_id: int = Field(serialization_alias="orderId")


def back(payload: Any, *before: Any) -> tuple[list[Any], Any]:
    """What is read after what was stored before, and the JSON of it."""
    payloads = TypedPayloads()
    payloads.register("Placed")(type(payload))
    name = f"memory://pydantic-{type(payload).__name__}-{len(before)}"
    with open_store(name) as plain, open_store(name, transforms=[payloads]) as store:
        plain.append("order-1", [NewEvent("Placed", data) for data in before], expected_version=0) if before else None
        store.append("order-1", [NewEvent("Placed", payload)], expected_version=len(before))
        *_, raw = plain.read_stream("order-1")
        return [event.data for event in store.read_stream("order-1")], raw.data


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        pytest.param(Aliased(orderId=7), {"order_id": 7}, marks=needs_by_name),
        pytest.param(Defaulted(orderId=7), {"order_id": 7}, marks=needs_by_name),
        pytest.param(ForReading(orderId=7), {"order_id": 7}, marks=needs_by_name),
        pytest.param(Chosen.model_validate({"order": {"id": 7}}), {"order_id": 7}, marks=needs_by_name),
        (ForWriting(order_id=7), {"order_id": 7}),
        pytest.param(Differing(orderId=7), {"order_id": 7}, marks=needs_by_name),
        (Populated(orderId=7), {"order_id": 7}),
        pytest.param(
            Outer(items=[Aliased(orderId=1)], main=Defaulted(orderId=2)),
            {"items": [{"order_id": 1}], "main": {"order_id": 2}},
            marks=needs_by_name,
        ),
        (Texts(blob='{"a":[1]}'), {"blob": '{"a":[1]}'}),
        (Computed(x=2), {"x": 2}),
        pytest.param(WrittenByAlias(orderId=7), {"orderId": 7}, marks=needs_by_name),
        (NotReadByItsAlias(order_id=7), {"order_id": 7}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseModel) else "",
)
def test_a_model_comes_back_as_it_went_in(payload: BaseModel, stored: Any) -> None:
    assert back(payload) == ([payload], stored)


def test_events_from_before_are_read_by_either_name() -> None:
    model = Populated(orderId=7)
    assert back(model, {"order_id": 7}, {"orderId": 7})[0] == [model] * 3


@needs_by_name
def test_events_that_could_not_be_read_can_be_now() -> None:
    model = Aliased(orderId=7)
    assert back(model, {"order_id": 7}, {"orderId": 7})[0] == [model] * 3


class OfItsOwn(BaseModel):
    """Reads as pydantic before 2.11 did."""

    order_id: int = Field(0, alias="orderId")

    @classmethod
    def model_validate(cls, obj: Any) -> Any:  # type: ignore[override]
        return super().model_validate(obj)


class OfItsOwnByName(OfItsOwn):
    model_config = ConfigDict(populate_by_name=True)


def test_a_model_that_could_not_be_read_is_refused_before_it_is_stored() -> None:
    payloads = TypedPayloads()
    payloads.register("Placed")(OfItsOwn)
    with open_store("memory://", transforms=[payloads]) as store:
        with pytest.raises(UsageError, match=r"OfItsOwn has an alias for order_id.*nothing was stored"):
            store.append("order-1", [NewEvent("Placed", OfItsOwn(orderId=7))], expected_version=0)
        assert not list(store.read_all())
    model = OfItsOwnByName(orderId=7)
    assert back(model) == ([model], {"order_id": 7})
