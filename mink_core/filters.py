"""Which events of the feed a reader wants."""

from __future__ import annotations

import math
from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from typing import Any

import msgspec

from mink_core.errors import UsageError
from mink_core.json_codec import encode_json
from mink_core.limits import check_category, check_event_type, check_moment, check_stream_id
from mink_core.partitions import Partition


class EventFilter(msgspec.Struct, frozen=True):
    """A filter over the feed: the axes AND, the members of one axis OR, empty means everything.

    Raises:
        UsageError: When made with a value that no event can have, or a time without a zone.
    """

    event_types: tuple[str, ...] = ()
    stream_ids: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    metadata: dict[str, str | int | float | bool | None] = {}
    """Top-level keys with these scalars. Numbers compare as numbers; true is no number."""
    since: datetime | None = None
    """Inclusive, compared with the event's timestamp."""
    until: datetime | None = None
    """Exclusive."""
    partition: Partition | None = None
    """Only streams of this share (`Capability.PARTITIONS`)."""

    def __post_init__(self) -> None:
        """Check every axis, and keep times in UTC."""
        put = msgspec.structs.force_setattr
        put(self, "event_types", _names(self.event_types, "event_types", check_event_type))
        put(self, "stream_ids", _names(self.stream_ids, "stream_ids", check_stream_id))
        put(self, "categories", _names(self.categories, "categories", check_category))
        put(self, "metadata", _scalars(self.metadata))
        put(self, "since", None if self.since is None else check_moment(self.since, "since"))
        put(self, "until", None if self.until is None else check_moment(self.until, "until"))
        if self.partition is not None and type(self.partition) is not Partition:
            msg = f"partition must be a Partition, not {type(self.partition).__name__}"
            raise UsageError(msg)

    @property
    def is_empty(self) -> bool:
        """Whether every event passes."""
        return self == EVERYTHING


def _names(value: object, axis: str, check: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, (tuple, list, set, frozenset)):
        msg = f"{axis} must be a tuple of str, not {type(value).__name__}"
        raise UsageError(msg)
    return tuple(dict.fromkeys(check(name) for name in value))


def _scalars(value: object) -> dict[str, Any]:
    encode_json(value, "filter metadata")
    if type(value) is not dict:
        msg = f"filter metadata must be a dict, not {type(value).__name__}"
        raise UsageError(msg)
    for key, item in value.items():
        if isinstance(item, (dict, list)):
            msg = f"filter metadata[{key!r:.60}] must be a scalar, not a {type(item).__name__}"
            raise UsageError(msg)
        if isinstance(item, float) and not math.isfinite(item):
            msg = f"filter metadata[{key!r:.60}] must be finite"
            raise UsageError(msg)
    return dict(value)


EVERYTHING = EventFilter()
"""The filter that leaves nothing out."""
