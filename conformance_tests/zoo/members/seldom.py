"""Stores that are broken where few look: on long streams, beside another axis of a filter, after an interrupt."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, ConcurrencyError, Direction, EventFilter, StreamAppend, StreamTombstonedError
from mink_core.adapter import prepare_append

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_PAGE = 1000


@breaks("APPEND-01")
class LongCallsInTwo(Wrapped):
    """Stores a long call in two statements without a transaction around them: others see its first half."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        if type(events) is not list or len(events) < _PAGE or more:
            return self.store.append(stream_id, events, expected_version=expected_version, **more)
        prepare_append(stream_id, events, expected_version)
        half = len(events) // 2
        first = self.store.append(stream_id, events[:half], expected_version=expected_version)
        time.sleep(0.01)  # the second statement's way
        last = self.store.append(stream_id, events[half:], expected_version=first.last_version)
        return replace(
            last,
            first_version=first.first_version,
            first_position=first.first_position,
            event_ids=first.event_ids + last.event_ids,
        )


@breaks("APPEND-03")
class ActualOfAPage(Wrapped):
    """Counts a page of the stream for the conflict that it tells."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version, **more)
        except ConcurrencyError as error:
            raise ConcurrencyError(error.stream_id, error.expected, min(error.actual, _PAGE)) from None


@breaks("READ-05", needs=[Capability.METADATA_FILTER])
class TwoKeysOfMetadata(Wrapped):
    """Filters by two keys of the metadata, however many are given."""

    def read_all(self, *, where: Any = EventFilter(), **more: Any) -> Any:  # noqa: B008 -- frozen
        keys = getattr(where, "metadata", {})
        return self.store.read_all(
            where=replace(where, metadata=dict(list(keys.items())[:2])) if keys else where, **more
        )


@breaks("READ-05", "FEED-06", needs=[Capability.BACKWARDS])
class FilteredBackwardLosesAtPages(Wrapped):
    """Backwards and filtered, loses what stands at a page's edge."""

    def read_all(self, **arguments: Any) -> Iterator[Any]:
        found = self.store.read_all(**arguments)
        backward = arguments.get("direction") is Direction.BACKWARD
        if not backward or arguments.get("where", EventFilter()) == EventFilter():
            return found  # type: ignore[no-any-return]
        return (event for number, event in enumerate(found, 1) if number % (_PAGE // 2))


@breaks("SUB-09", needs=[Capability.PARTITIONS])
class PartitionsOnlyAlone(Wrapped):
    """Forgets the partition where a filter has another axis as well."""

    def read_all(self, *, where: Any = EventFilter(), **more: Any) -> Any:  # noqa: B008 -- frozen
        if getattr(where, "partition", None) and (where.event_types or where.categories or where.stream_ids):
            where = replace(where, partition=None)
        return self.store.read_all(where=where, **more)


@breaks("TX-01", needs=[Capability.TRANSACTIONS])
class InterruptsLeaveItOpen(Wrapped):
    """Rolls back for every Exception, and so not for what interrupts a program: locks and holds stay."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Generator[Any]:
        opened = transaction.__enter__()
        try:
            yield type(self)(opened, self.shared, inside=True)
        except Exception as error:
            if not transaction.__exit__(type(error), error, error.__traceback__):
                raise
        except BaseException:
            self.shared.facts[id(transaction)] = transaction  # open, and nobody's
            raise
        else:
            transaction.__exit__(None, None, None)


@breaks("PRIV-02", needs=[Capability.PRIVACY, Capability.APPEND_BATCH])
class BatchesGoPastTombstones(Wrapped):
    """Looks at the first item of a batch only before it says that a stream is closed."""

    def append_batch(self, items: Any) -> Any:
        given = list(items)
        try:
            return self.store.append_batch(given)
        except StreamTombstonedError as error:
            rest = [it for it in given if isinstance(it, StreamAppend) and it.stream_id != error.stream_id]
            if not rest or given[0].stream_id == error.stream_id:
                raise
            return self.store.append_batch(rest)
