"""Appends that wait for a locked stream: what is taken before the wait is older than what is taken after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.interleavings.holding import HELD_BY_TRANSACTION, hold, meanwhile, ways
from conformance_tests.interleavings.readers import Polling, Whole
from mink_core import ExpectedVersion, StreamAppend

if TYPE_CHECKING:
    from conformance_tests.interleavings.readers import Reader
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY
WAITED = "appends that waited for a held one"


@check("FEED-01", "FEED-06", layer=Layer.INTERLEAVING)
def an_append_that_waited_hides_no_older_one(lab: Lab) -> None:
    """An append that began early, waited for its stream and commits above one still open makes no reader skip that."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        used = lab.namespace() if way.name == HELD_BY_TRANSACTION else namespace
        free, first, second, third = (lab.open(used) for _ in range(4))
        readers: list[Reader] = [Polling(free, "FEED-01"), Polling(free, "FEED-01", limit=1), Whole(free, "FEED-01")]
        for stream in ("locked-1", "other-1"):
            free.append(stream, lab.events(1), expected_version=0)
        in_the_way = hold(lab, way, first, StreamAppend("locked-1", lab.events(1), ANY))
        waiting = meanwhile(lab, second, "locked-1")
        if not waiting.ended():
            lab.count(WAITED)
        still_open = hold(lab, way, third, StreamAppend("other-1", lab.events(1), ANY))
        in_the_way.end()
        waiting.ended(within=2.0)
        for reader in readers:
            reader.step()
        still_open.end()
        waiting.result()
        stored = [event for info in free.streams() for event in free.read_stream(info.stream_id)]
        stored.sort(key=lambda event: event.global_position)
        for reader in readers:
            reader.finish(stored)
