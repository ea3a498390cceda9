"""What a privacy operation takes out of a log is nowhere in it: not in the copy that readers get either."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
import pytest

from mink_core import ExpectedVersion, NewEvent
from mink_memory import MemoryEventStore

SECRET = "S\u00c9CRET"


def _reachable(root: object) -> Iterator[Any]:
    seen: set[int] = set()
    left: list[Any] = [root]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, type | ModuleType):
            continue
        seen.add(id(found))
        yield found
        left += gc.get_referents(found)
        if isinstance(found, msgspec.Struct):  # those without gc tell the collector nothing
            left += [getattr(found, name) for name in found.__struct_fields__]


def _times_held(root: object) -> int:
    texts = [bytes(found).decode() for found in _reachable(root) if isinstance(found, msgspec.Raw | bytes)]
    texts += [found for found in _reachable(root) if isinstance(found, str)]
    return sum(SECRET in text for text in texts)


@pytest.mark.parametrize("how", ["redact", "purge"])
@pytest.mark.parametrize("unique", [False, True])
def test_nothing_of_the_content_is_left(how: str, unique: bool) -> None:
    with MemoryEventStore(privacy=True, unique_event_ids=unique) as store:
        event = NewEvent("Made", {"name": SECRET}, {"user": SECRET})
        store.append("a-1", [event, NewEvent("Made", {})], expected_version=ExpectedVersion.NO_STREAM)
        del event
        log = store._handle.log
        assert _times_held(log) == 4  # the data and the metadata, as text and undecoded
        if how == "redact":
            store.privacy.redact("a-1", 1, data={}, metadata=None, by="x")
        else:
            store.privacy.purge("a-1", by="x")
        assert _times_held(log) == 0
