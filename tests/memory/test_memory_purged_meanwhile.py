"""A store's first purge while its feed is read: no page after it gives what was purged, nor what is left of it."""

from datetime import UTC, datetime

import pytest
from memory_helpers import add

from mink_core import Direction, EventFilter
from mink_core.filters import EVERYTHING
from mink_memory import MemoryEventStore

OF_ANY_TIME = EventFilter(since=datetime(1, 1, 2, tzinfo=UTC))
"""A filter that what is left of a purged event passes too."""


@pytest.fixture
def store():
    """Five events, of which the third is to be purged."""
    with MemoryEventStore(privacy=True) as opened:
        for stream in ("a-1", "a-1", "gone-1", "b-1", "b-1"):
            add(opened, stream)
        yield opened


def positions(events):
    assert all(event.event_type == "T" for event in events)
    return [event.global_position for event in events]


@pytest.mark.parametrize("where", [EVERYTHING, OF_ANY_TIME])
@pytest.mark.parametrize("direction", Direction)
def test_a_read_that_was_begun_gives_no_purged_event(store, where, direction, monkeypatch):
    monkeypatch.setattr("mink_memory.view._PAGE", 2)
    reading = store.read_all(where=where, direction=direction)
    first = next(reading)
    store.privacy.purge("gone-1", by="x")
    assert sorted(positions([first, *reading])) == [1, 2, 4, 5]


@pytest.mark.parametrize("where", [EVERYTHING, OF_ANY_TIME])
def test_a_poll_gives_no_event_that_is_purged_beside_it(store, where, monkeypatch):
    log = store._handle.log
    feed_page = log.feed_page

    def purged_before(start, end):
        if not log.has_holes:
            store.privacy.purge("gone-1", by="x")
        return feed_page(start, end)

    monkeypatch.setattr(log, "feed_page", purged_before)
    page = store.poll(1, limit=3, where=where)
    assert positions(page.events)[:2] == [2, 4]
    rest = store.poll(page.next_position, limit=3, where=where)
    assert positions([*page.events, *rest.events]) == [2, 4, 5]
    assert store.poll(2, limit=0, where=where).next_position == 2
