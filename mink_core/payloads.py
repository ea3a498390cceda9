"""Typed payloads: dataclasses, msgspec Structs and pydantic models as an event's `data`.

Old events are lifted to the newest schema by upcasters, on reading; what is stored never changes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from mink_core.compiled import is_plain_json
from mink_core.errors import UsageError
from mink_core.limits import MAX_JSON_DEPTH
from mink_core.pydantic_models import ModelForm, is_model
from mink_core.unawaited import check_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.events import NewEvent, StoredEvent

SCHEMA_VERSION_KEY = "schema_version"
"""The metadata key that tells which version of a type's schema an event was written with."""

T = TypeVar("T")
# Not of `JsonValue`: its containers are invariant, so a function that says `dict[str, int]` would be refused.
Upcaster = TypeVar("Upcaster", bound="Callable[[Any], Any]")

# What tells that JSON does not fit a class, or that a class or object cannot be JSON. msgspec's own is a ValueError
# too, but only from 0.20 on.
_UNFIT = (ValueError, TypeError, msgspec.ValidationError)


class TypedPayloads:
    """A transform that stores objects of registered classes and gives them back.

    Events of types that are not registered pass through as plain JSON. An object is read back before it is stored:
    dataclasses and Structs do not check what they are made with, and an event that does not fit its class would stop
    every reader that comes to it.

    Pydantic models are stored by the names of their fields, without computed ones, and read by name or alias. Aliases
    need pydantic 2.11 or newer, or `populate_by_name`.

    Example:
        ```python
        payloads = TypedPayloads()

        @payloads.register("OrderPlaced", schema_version=2)
        @dataclass
        class OrderPlaced:
            order_id: int
            currency: str

        @payloads.upcaster("OrderPlaced", from_version=1)
        def _add_currency(data):
            return {**data, "currency": "EUR"}

        store = open_store(url, transforms=[payloads])
        ```
    """

    def __init__(self) -> None:
        """Start with no class registered."""
        self._types: dict[str, tuple[type[Any], int]] = {}
        self._models: dict[type[Any], ModelForm] = {}
        self._upcasters: dict[tuple[str, int], Callable[[Any], Any]] = {}

    def register(self, event_type: str, *, schema_version: int = 1) -> Callable[[type[T]], type[T]]:
        """Decorate the class whose objects are the data of `event_type`.

        Args:
            event_type: The type of event.
            schema_version: The version of the schema that the class has now, at least 1. It is
                stored in the event's metadata as `schema_version`.

        Raises:
            UsageError: When the type is registered already, or the class is no dataclass, msgspec
                Struct or pydantic model.
        """
        if event_type in self._types or type(schema_version) is not int or schema_version < 1:
            msg = f"event type {event_type!r} is registered already, or schema_version {schema_version!r} is below 1"
            raise UsageError(msg)

        def decorate(cls: type[T]) -> type[T]:
            if not _is_payload_class(cls):
                msg = f"{cls.__name__} is no dataclass, msgspec.Struct or pydantic model"
                raise UsageError(msg)
            self._types[event_type] = (cls, schema_version)
            if is_model(cls):
                self._models[cls] = ModelForm(cls)
            return cls

        return decorate

    def upcaster(self, event_type: str, *, from_version: int) -> Callable[[Upcaster], Upcaster]:
        """Decorate a function that lifts the JSON of `from_version` to `from_version + 1`.

        Raises:
            UsageError: When there is one for this version already, or the function is a coroutine function or has a yield.
        """
        if (event_type, from_version) in self._upcasters:
            msg = f"event type {event_type!r} has an upcaster from version {from_version} already"
            raise UsageError(msg)

        def decorate(function: Upcaster) -> Upcaster:
            check_plain(function, "an upcaster")
            self._upcasters[event_type, from_version] = function
            return function

        return decorate

    def outgoing(self, stream_id: str, event: NewEvent) -> NewEvent:
        """Turn the data into JSON and note its schema version.

        Raises:
            UsageError: When the data is not an object of the registered class, or one that could not be read back.
        """
        known = self._types.get(event.event_type)
        if known is None:
            return event
        cls, schema_version = known
        if type(event.data) is not cls:
            msg = (
                f"event {event.event_type!r} for stream {stream_id!r} carries {type(event.data).__name__}, "
                f"but {cls.__name__} is registered for it; nothing was stored"
            )
            raise UsageError(msg)
        try:
            data = self._to_json(event.data)
            self._from_json(data, cls)
        except _UNFIT as error:
            msg = (
                f"event {event.event_type!r} for stream {stream_id!r}: this {cls.__name__} could not be read back "
                f"({error}); nothing was stored"
            )
            raise UsageError(msg) from error
        metadata = {} if event.metadata is None else event.metadata
        if type(metadata) is dict:  # anything else is refused after the transforms
            metadata = {**metadata, SCHEMA_VERSION_KEY: schema_version}
        return msgspec.structs.replace(event, data=data, metadata=metadata)

    def incoming(self, event: StoredEvent) -> StoredEvent:
        """Upcast the JSON step by step, then build the object.

        Raises:
            UsageError: When the event was written by a newer schema than this code has, a step is
                missing, or the JSON does not fit the class.
        """
        known = self._types.get(event.event_type)
        if known is None:
            return event
        cls, newest = known
        version = event.metadata.get(SCHEMA_VERSION_KEY, 1)
        where = f"event {event.event_type!r} at position {event.global_position}"
        if type(version) is not int or version > newest:
            msg = f"{where} has schema version {version!r}, but this code knows up to {newest}: deploy the newer code"
            raise UsageError(msg)
        data = event.data
        for step in range(version, newest):
            lift = self._upcasters.get((event.event_type, step))
            if lift is None:
                msg = f"{where} has schema version {version}; register an upcaster from version {step}"
                raise UsageError(msg)
            data = lift(data)
        try:
            payload = self._from_json(data, cls)
        except _UNFIT as error:
            msg = f"{where} does not fit {cls.__name__}: {error}"
            raise UsageError(msg) from error
        return msgspec.structs.replace(event, data=payload)

    def _to_json(self, payload: Any) -> Any:
        model = self._models.get(type(payload))
        if model is not None:
            return model.to_json(payload)
        data = msgspec.to_builtins(payload, str_keys=True)
        return data if is_plain_json(data, MAX_JSON_DEPTH) else _lists(data)

    def _from_json(self, data: Any, cls: type[Any]) -> Any:
        model = self._models.get(cls)
        return msgspec.convert(data, cls, strict=True, str_keys=True) if model is None else model.from_json(data)


def _lists(value: Any) -> Any:
    """A copy with lists for tuples, which msgspec leaves."""
    kind = type(value)
    if kind is dict:
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if kind is list or kind is tuple else value


def _is_payload_class(cls: type[Any]) -> bool:
    return dataclasses.is_dataclass(cls) or issubclass(cls, msgspec.Struct) or is_model(cls)
