"""Reads that a copy behind the leader answers: no reader misses an event or is moved past one."""

from __future__ import annotations

import pytest

from mink_core import Direction, EventFilter, ExpectedVersion, NewEvent, TransientStorageError
from mink_jetstream.reading import Reading
from tests.jetstream.pretended import end_all_patience, pretend_copies

ANY = ExpectedVersion.ANY

DOWN = Direction.BACKWARD


@pytest.fixture
def stale(store, monkeypatch):
    """Every direct get is answered by a copy that lacks the newest ten events."""
    for number in range(30):
        store.append(f"order-{number % 3}", [NewEvent("Placed", number)], expected_version=ANY)
    page = Reading.page

    async def lagging(self, subject, sequence, size):
        return [event for event in await page(self, subject, sequence, size) if event.global_position <= 20]

    monkeypatch.setattr(Reading, "page", lagging)
    return store


def test_a_copy_that_is_behind_hides_nothing(stale, monkeypatch):
    pretend_copies(monkeypatch)
    assert [event.version for event in stale.read_stream("order-2")] == list(range(1, 11))
    assert [event.global_position for event in stale.read_all()] == list(range(1, 31))
    assert [event.global_position for event in stale.read_all(direction=DOWN)] == list(range(30, 0, -1))
    assert stale.poll(0).next_position == 30
    where = EventFilter(categories=("order",))
    assert [event.global_position for event in stale.read_all(where=where)] == list(range(1, 31))


def test_a_page_may_end_with_what_only_the_leader_shows(stale, monkeypatch):
    """Nothing is asked for after its last event: to a request for none the server sends no end."""
    pretend_copies(monkeypatch)
    for after, limit in ((20, 1), (19, 2), (20, 3)):
        wanted = list(range(after + 1, after + limit + 1))
        page = stale.poll(after, limit=limit)
        assert ([event.global_position for event in page.events], page.next_position) == (wanted, wanted[-1])
        assert [event.global_position for event in stale.read_all(after_position=after, limit=limit)] == wanted


def test_a_reader_that_takes_the_copy_for_the_leader_misses_events(stale):
    """The broken twin of the two above."""
    assert len(list(stale.read_all())) == 20


def test_a_leader_that_shows_less_than_was_told_moves_no_reader_past_it(stale, monkeypatch):
    """The mark came from one server and the page from another that was cut off and still answers as the leader."""

    async def nothing(self, subject, sequence):
        return None

    monkeypatch.setattr(Reading, "_next", nothing)
    end_all_patience(monkeypatch)
    pretend_copies(monkeypatch)
    for where in (EventFilter(), EventFilter(categories=("order",)), EventFilter(categories=("none",))):
        assert stale.poll(0, where=where).next_position == 20
        with pytest.raises(TransientStorageError, match="above position 20"):
            list(stale.read_all(where=where))
    with pytest.raises(TransientStorageError):
        list(stale.read_all(direction=DOWN))
