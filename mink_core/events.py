"""What goes in and what comes out: two types, never one with `None`s."""

from __future__ import annotations

# The fields' types are imported at run time: get_type_hints, Hypothesis and msgspec look them up.
from collections.abc import Sequence  # noqa: TC003
from datetime import datetime  # noqa: TC003
from typing import Any, ClassVar
from uuid import UUID  # noqa: TC003

import msgspec

from mink_core.compiled import DecodedField
from mink_core.expected import Expected  # noqa: TC001
from mink_core.ids import random_id

_decode = msgspec.json.Decoder().decode
_Raw = msgspec.Raw
_set = msgspec.structs.force_setattr


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append.

    The id is made here, by the client, so that a lost reply can be retried with the same id.
    """

    event_type: str
    """1 to 500 characters."""
    data: Any
    """Any JSON value, or what the store's payload transform accepts."""
    metadata: dict[str, Any] | None = None
    """A JSON object. Conventional keys: correlation_id, causation_id, user_id, tenant_id."""
    event_id: UUID = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] -- never None after __post_init__
    """A random UUID when not given."""

    def __post_init__(self) -> None:
        """Make the id where the caller gave none."""
        if self.event_id is None:
            _set(self, "event_id", random_id())


class _Fields(msgspec.Struct, frozen=True):
    stream_id: str
    version: int
    """1-based in its stream, without holes but for what a privacy operation removed."""
    global_position: int
    """At least 1, strictly increasing over the whole store, with holes."""
    event_id: UUID
    event_type: str
    data: Any
    metadata: dict[str, Any]
    """`{}` where none was given."""
    timestamp: datetime
    """Aware, in UTC; never decreases within a stream."""


class StoredEvent(_Fields, frozen=True):
    """An event as the store has it. A reader may change `data`: nothing stored changes with it.

    An adapter may give `data` and `metadata` as undecoded JSON (`msgspec.Raw`): each is decoded when it
    is first looked at, so that a reader pays for what it uses. Nothing else tells the difference:
    comparing, printing, copying and pickling look at both. So do `msgspec.json.encode` and
    `msgspec.structs.replace`. What else msgspec has for Structs (`asdict`, `astuple`, `to_builtins`,
    `msgpack.encode`) looks past the attributes: look at both before.
    """

    # The slots that the properties hide, by names that the interpreter reads and msgspec sets at once.
    _data: ClassVar[Any] = _Fields.__dict__["data"]
    _metadata: ClassVar[Any] = _Fields.__dict__["metadata"]

    @property  # type: ignore[misc]  # it reads the field that it hides
    def data(self) -> Any:
        """Any JSON value, or what a payload transform made of it."""
        value = self._data
        if type(value) is _Raw:
            value = _decode(value)
            _set(self, "_data", value)
        return value

    @property  # type: ignore[misc]  # as above
    def metadata(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleVariableOverride] -- as above
        """A JSON object; `{}` where none was given."""
        value = self._metadata
        if type(value) is _Raw:
            value = _decode(value)
            if value is None:
                value = {}
            _set(self, "_metadata", value)
        found: dict[str, Any] = value
        return found

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__struct_fields__])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__])
        return f"{type(self).__name__}({fields})"

    def __copy__(self) -> StoredEvent:
        return type(self)(*self._values())

    def __reduce__(self) -> tuple[type[StoredEvent], tuple[Any, ...]]:
        return type(self), self._values()


if DecodedField is not None:  # the same as the properties do
    for _name in ("data", "metadata"):
        _fget = getattr(StoredEvent, _name).fget
        setattr(StoredEvent, _name, DecodedField(_Fields.__dict__[_name], _Raw, _decode, _fget, _name == "metadata"))


class StreamAppend(msgspec.Struct, frozen=True):
    """One item of `append_batch`."""

    stream_id: str
    events: Sequence[NewEvent]
    expected_version: Expected


class AppendResult(msgspec.Struct, frozen=True, gc=False):
    """What an append stored, the same as a read returns it."""

    stream_id: str
    first_version: int
    last_version: int
    first_position: int
    last_position: int
    """Positions of one call are in the order of its events, and may have holes between them."""
    event_ids: tuple[UUID, ...]


class StreamInfo(msgspec.Struct, frozen=True):
    """What the store knows of one stream without reading its events."""

    stream_id: str
    category: str
    version: int
    """The version of the newest event."""
    created_at: datetime
    updated_at: datetime
    """The timestamp of the newest event."""
    deleted_at: datetime | None = None
    """When it was soft-deleted; None while it is not."""


class Page(msgspec.Struct, frozen=True):
    """One page of the feed."""

    events: Sequence[StoredEvent]
    next_position: int
    """Where to go on. At or above the last event's position, as it also moves over what the filter left out."""


class StoreIdentity(msgspec.Struct, frozen=True):
    """Which history positions belong to.

    Keep it beside a position that you save yourself, and give it to `poll`, `read_all` or
    `subscribe`: a restored backup or a lossy failover is then told, not read over (FEED-08).
    """

    store: UUID
    """Made once, when the store was initialized."""
    epoch: int
    """Raised by an operator when the history may have lost its newest events."""
