"""What a privacy operation takes out of a log is nowhere in it: not in the copy that readers get either."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

import msgspec
import pytest

from mink_core import ExpectedVersion, NewEvent, TransientStorageError
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


@pytest.mark.parametrize("how", ["redact", "purge"])
def test_a_state_that_a_transaction_has_saved_holds_it_up(how: str) -> None:
    """It would be stored after what it tells was erased."""
    with MemoryEventStore(privacy=True) as store:
        store.append("a-1", [NewEvent("Made", {"name": SECRET})], expected_version=0)
        operation = store.privacy.purge if how == "purge" else partial(store.privacy.redact, version=1)
        with store.transaction() as tx:
            assert tx.snapshots.save("a-1", 1, {"name": SECRET})
            with pytest.raises(TransientStorageError, match="'a-1' is being changed by another transaction"):
                operation("a-1", by="x")
        assert operation("a-1", by="x").counts["snapshots"] == 1
        assert _times_held(store._handle.log) == 0
        assert store.snapshots.save("a-1", 1, {"name": SECRET}) is False
        assert _times_held(store._handle.log) == 0
