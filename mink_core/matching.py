"""An `EventFilter` made into a test of events, once a call."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mink_core.json_codec import decode_json
from mink_core.limits import category_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.encoded import EncodedEvent
    from mink_core.events import StoredEvent
    from mink_core.filters import EventFilter

_ABSENT = object()


def predicate_of(where: EventFilter) -> Callable[[EncodedEvent], bool] | None:
    """The test that an event must pass (rule READ-05); None when every event passes."""
    return _test_of(
        where, lambda wanted: lambda row: row.metadata is not None and _holds(decode_json(row.metadata), wanted)
    )


def stored_predicate_of(where: EventFilter) -> Callable[[StoredEvent], bool] | None:
    """The same test of an event that was read. Its metadata are those that the store's transforms gave."""
    return _test_of(where, lambda wanted: lambda event: _holds(event.metadata, wanted))


def _test_of(
    where: EventFilter, metadata_holds: Callable[[list[tuple[str, Any]]], Callable[[Any], bool]]
) -> Callable[[Any], bool] | None:
    tests: list[Callable[[Any], bool]] = []
    if where.event_types:
        types = frozenset(where.event_types)
        tests.append(lambda row: row.event_type in types)
    if where.stream_ids:
        stream_ids = frozenset(where.stream_ids)
        tests.append(lambda row: row.stream_id in stream_ids)
    if where.categories:
        categories = frozenset(where.categories)
        tests.append(lambda row: category_of(row.stream_id) in categories)
    if (partition := where.partition) is not None:
        tests.append(lambda row: partition.has(row.stream_id))
    if (since := where.since) is not None:
        tests.append(lambda row: row.timestamp >= since)
    if (until := where.until) is not None:
        tests.append(lambda row: row.timestamp < until)
    if where.metadata:  # last, as it decodes
        tests.append(metadata_holds([(key, _comparable(value)) for key, value in where.metadata.items()]))
    if len(tests) < 2:  # noqa: PLR2004 -- one test needs no loop
        return tests[0] if tests else None
    return lambda row: all(test(row) for test in tests)


def _holds(metadata: dict[str, Any], wanted: list[tuple[str, Any]]) -> bool:
    return all(_comparable(metadata.get(key, _ABSENT)) == value for key, value in wanted)


def _comparable(value: Any) -> Any:
    """A value that is equal to another just where JSON's is.

    Numbers compare as the decimals they are written as, as in jsonb; Python would find 1 equal to
    true, and would compare a large float by its binary value.
    """
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        return Decimal(repr(value))
    return (type(value), value)
