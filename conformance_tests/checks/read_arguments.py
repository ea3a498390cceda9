"""READ-03: arguments of reads that are refused."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import raises
from mink_core import EventFilter, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance_tests.lab import Lab

_WRONG_COUNTS: tuple[Any, ...] = (-1, -(2**63), True, False, 1.0, "1", 2**63, [1])


@check("READ-03")
def wrong_arguments_of_reads_are_refused(lab: Lab) -> None:
    """A negative or wrong limit or bound, direction or filter is a UsageError, raised by the call itself."""
    store: Any = lab.open()
    store.append("order-1", lab.events(2), expected_version=0)
    identity = store.identity()
    stream = partial(store.read_stream, "order-1")
    page = partial(store.poll, 0)
    refused: tuple[tuple[str, Callable[..., object], str, Iterable[Any]], ...] = (
        ("read_stream", stream, "after_version", (*_WRONG_COUNTS, None)),
        ("read_stream", stream, "limit", _WRONG_COUNTS),
        ("read_stream", stream, "direction", ("forward", "backward", 1, None)),
        ("read_all", store.read_all, "after_position", (*_WRONG_COUNTS, None)),
        ("read_all", store.read_all, "limit", _WRONG_COUNTS),
        ("read_all", store.read_all, "direction", ("forward", "backward", 1, None)),
        ("read_all", store.read_all, "where", ({}, "order", None, ("order-1",))),
        ("read_all", store.read_all, "identity", (identity.store, identity.epoch, "identity")),
        ("poll", store.poll, "after_position", (*_WRONG_COUNTS, None)),
        ("poll", page, "limit", (*_WRONG_COUNTS, None)),
        ("poll", page, "where", ({}, "order", None, ("order-1",))),
        ("poll", page, "identity", (identity.store, identity.epoch, "identity")),
        ("streams", store.streams, "limit", _WRONG_COUNTS),
        ("streams", store.streams, "category", ("", "-", "a-b", "nul\0", "x" * 251, 1)),
        ("streams", store.streams, "after", ("", "-", "nul\0", "x" * 501, 1)),
    )
    for name, call, argument, values in refused:
        for value in values:
            with raises(UsageError, f"{name}({argument}={value!r:.60}), by the call itself"):
                call(**{argument: value})


@check("READ-05")
def wrong_filters_are_refused(lab: Lab) -> None:
    """A filter with a value that no event can have, or with a time without a zone, is a UsageError."""
    store = lab.open()
    wrong: tuple[dict[str, Any], ...] = (
        {"event_types": "Placed"},
        {"event_types": ("",)},
        {"event_types": (1,)},
        {"stream_ids": "order-1"},
        {"stream_ids": ("",)},
        {"categories": "order"},
        {"categories": ("a-b",)},
        {"metadata": {"k": [1]}},
        {"metadata": {"k": {}}},
        {"metadata": {"k": float("nan")}},
        {"metadata": {1: 1}},
        {"metadata": [("k", 1)]},
        {"since": datetime(2024, 1, 1)},  # noqa: DTZ001 -- without a zone on purpose
        {"until": "2024-01-01"},
    )
    for axes in wrong:
        with raises(UsageError, f"EventFilter({axes!r})"):
            store.poll(0, where=EventFilter(**axes))
