"""READ-09: listing streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.expect import equal, true
from conformance_tests.level import Level
from conformance_tests.resources.held import peak, tracing
from mink_core import Capability, StreamAppend, StreamInfo, category_of

if TYPE_CHECKING:
    from conformance_tests.lab import Lab
    from mink_core import Store

_MANY = 6000
"""Streams that are too many for their entries to be held at once."""
_BATCH = 500
NAMES = (
    "!",
    "0",
    "A",
    "A-1",
    "B",
    "Z",
    "_",
    "a",
    "a ",
    "a b",
    "a!1",
    "a%",
    "a%-1",
    "a-",
    "a--",
    "a-1",
    "a-10",
    "a-2",
    "a.",
    "aB-1",
    "a_-1",
    "aa",
    "aa-1",
    "ab",
    "a\\-1",
    "a\u00e9-1",
    "b-1",
    "z",
    "~",
    "\u00c5",
    "\u00e9",
    "\u0130",
    "\u4e00-1",
    "\ue000",
    "\uffff",
    "\U0001f600",
    "\U0010ffff",
)


@check("READ-09")
def streams_are_listed_in_code_point_order(lab: Lab) -> None:
    """streams() lists in code point order, whatever the collation: capitals first, U+FFFF before an emoji."""
    store = lab.open()
    equal(list(store.streams()), [], "the streams of an empty store")
    shuffled = list(NAMES)
    lab.random.shuffle(shuffled)
    for number, name in enumerate(shuffled):
        store.append(name, lab.events(1 + number % 3), expected_version=0)
    ordered = sorted(NAMES)
    infos = list(store.streams())
    equal([info.stream_id for info in infos], ordered, "the ids in order")
    for info in infos:
        _expect_info(store, info)
    for limit in (0, 1, 2, len(ordered) - 1, len(ordered), len(ordered) + 1):
        equal([it.stream_id for it in store.streams(limit=limit)], ordered[:limit], f"limit {limit}")
    for after in (*ordered, "a-1 ", "A-", "\ud7ff", "zzz"):
        want = [name for name in ordered if name > after]
        equal([it.stream_id for it in store.streams(after=after)], want, f"after {after!r}")
        equal([it.stream_id for it in store.streams(after=after, limit=2)], want[:2], f"after {after!r}, limit 2")
    # A stream that comes later is listed at its place.
    store.append("a-11", lab.events(1), expected_version=0)
    equal([info.stream_id for info in store.streams()], sorted([*NAMES, "a-11"]), "the ids with a new one")


def _expect_info(store: Store, info: StreamInfo) -> None:
    stored = list(store.read_stream(info.stream_id))
    equal(info, store.stream_info(info.stream_id), "what is listed, and stream_info")
    equal(info.category, category_of(info.stream_id), f"the category of {info.stream_id!r}")
    equal(info.version, stored[-1].version, f"the version of {info.stream_id!r}")
    equal(info.updated_at, stored[-1].timestamp, "updated_at")
    equal(info.deleted_at, None, "deleted_at of a stream that was not deleted")


@check("READ-09", "READ-05")
def streams_of_a_category(lab: Lab) -> None:
    """A category is what stands before the first dash: no prefix, no pattern, no case folding."""
    store = lab.open()
    for name in NAMES:
        store.append(name, lab.events(1), expected_version=0)
    categories = {category_of(name) for name in NAMES} | {"missing", "A%", "a?", "%"}
    for category in sorted(categories):
        want = sorted(name for name in NAMES if category_of(name) == category)
        got = [info.stream_id for info in store.streams(category=category)]
        equal(got, want, f"the streams of category {category!r}")
        equal([it.stream_id for it in store.streams(category=category, limit=2)], want[:2], f"{category!r}, limit 2")
        for after in (*want, "a", "a-1", "b"):
            got = [info.stream_id for info in store.streams(category=category, after=after)]
            equal(got, [name for name in want if name > after], f"the streams of {category!r} after {after!r}")


@check("READ-09")
def many_streams_are_listed_whole(lab: Lab) -> None:
    """A listing of more than two pages is whole and in order."""
    store = lab.open()
    names = [f"many-{number}" for number in range(1050)]
    lab.random.shuffle(names)
    _make(lab, store, names)
    equal([info.stream_id for info in store.streams()], sorted(names), "the ids of 1,050 streams")
    equal([info.stream_id for info in store.streams(category="many")], sorted(names), "the ids of one category")
    for edge in (499, 500, 501, 1000, 1001):
        equal([it.stream_id for it in store.streams(limit=edge)], sorted(names)[:edge], f"limit {edge}")


@check("READ-04", "READ-09", needs=[Capability.APPEND_BATCH], layer=Layer.RESOURCE, level=Level.STANDARD)
def a_long_list_of_streams_takes_bounded_memory(lab: Lab) -> None:
    """Going through the streams one by one takes a fraction of the memory that all their entries take."""
    store = lab.open()
    _make(lab, store, [f"many-{number:04}" for number in range(_MANY)])
    counted = [len(list(store.streams()))]  # what is made once for all listings is made now
    with tracing():
        whole = peak(lambda: counted.append(len(list(store.streams()))))
        single = peak(lambda: counted.append(sum(1 for _ in store.streams())))
    equal(counted, [_MANY] * 3, "how many streams were listed each time")
    true(
        single < whole * 0.6,
        f"READ-04: the memory that a pass over {_MANY} streams takes at most",
        expected=f"under six tenths of the {whole >> 10} KiB that a list of them takes",
        seen=f"{single >> 10} KiB",
    )


def _make(lab: Lab, store: Store, names: list[str]) -> None:
    """Streams of one event; in batches where the store has them, as they are many."""
    if Capability.APPEND_BATCH not in lab.capabilities:
        for name in names:
            store.append(name, lab.events(1), expected_version=0)
        return
    for start in range(0, len(names), _BATCH):
        store.append_batch([StreamAppend(name, lab.events(1), 0) for name in names[start : start + _BATCH]])
