"""APPEND-01 while the server stores a batch, one message after another: whoever meets its middle waits for its end."""

from __future__ import annotations

from typing import Any

import pytest

from mink_core import ExpectedVersion, StreamAppend, TransientStorageError
from mink_jetstream.calls import Calls
from mink_jetstream.feed import Feed
from mink_jetstream.reading import Reading
from tests.jetstream.pretended import end_all_patience, pretend_lost_majority
from tests.jetstream.storing import FOREVER, READS, STREAMS, batch, events, long_call

TIMES = (1, 3, 7)


@pytest.mark.parametrize("read", READS | STREAMS)
@pytest.mark.parametrize("times", TIMES)
def test_the_middle_of_a_call_is_no_end(storing, store, reader, read, times):
    long_call(store)
    storing.show(2 + times % 3, times)
    assert (READS | STREAMS)[read](reader) == 5


@pytest.mark.parametrize(
    "read", ["poll", "read_all", "read_all backwards", "subscribe", "head_position", "feed_status"]
)
@pytest.mark.parametrize("times", TIMES)
def test_the_middle_of_a_batch_is_no_end(storing, store, reader, read, times):
    batch(store)
    storing.show(2 + times % 3, times)
    assert READS[read](reader) == 5


@pytest.mark.parametrize("top", [2, 3, 4])
@pytest.mark.parametrize("times", TIMES)
def test_who_has_read_one_stream_of_a_batch_finds_the_other(storing, store, reader, top, times):
    batch(store)
    storing.show(top, times)
    assert reader.stream_info("order-1").version == 3
    assert storing.left <= max(times - 3, 0)
    assert reader.stream_info("other-1").version == 2


@pytest.mark.parametrize("top", [2, 3, 4])
def test_what_a_filter_lets_through_of_a_batch_is_whole(storing, store, reader, top):
    """Its last event is above the end of the feed, and others are between."""
    store.append("order-1", events(1), expected_version=0)
    items = [("order-1", 1), ("other-1", 2), ("order-1", 1)]
    store.append_batch([StreamAppend(name, events(count), ExpectedVersion.ANY) for name, count in items])
    for read in ("poll a stream", "read_all of a stream"):
        storing.show(top, 3)
        assert READS[read](reader) == 5


@pytest.mark.parametrize("read", READS | STREAMS)
def test_without_the_header_the_middle_is_an_end(storing, store, reader, read, monkeypatch):
    """The broken twin of all: it is how a store does that does not tell what is to come."""
    monkeypatch.setattr("mink_jetstream.appending.rests", lambda writes: iter([""] * 5))
    long_call(store)
    storing.show(3, 4)
    try:
        seen: int | str = (READS | STREAMS)[read](reader)
    except Exception as error:  # noqa: BLE001 -- an append is refused
        seen = str(error)
    assert seen != 5


@pytest.mark.parametrize(
    ("read", "broken", "name"),
    [
        ("poll", Feed, "go_on"),
        ("poll a stream", Feed, "go_on"),
        ("read_all", Feed, "go_on"),
        ("subscribe", Feed, "go_on"),
        ("read_all backwards", Reading, "whole"),
        ("head_position", Reading, "whole"),
    ],
)
def test_a_feed_that_ends_at_the_mark_shows_half_a_call(storing, store, reader, read, broken, name, monkeypatch):
    """Broken twins."""

    async def same(self: Any, end: int, *more: int) -> int:
        return end

    monkeypatch.setattr(broken, name, same)
    long_call(store)
    storing.show(3, 4)
    assert READS[read](reader) == 3


@pytest.mark.parametrize("read", ["stream_info", "streams", "read_stream", "read_stream backwards"])
def test_a_stream_that_ends_at_its_newest_event_shows_half_a_call(storing, store, reader, read, monkeypatch):
    """Broken twins."""
    monkeypatch.setattr(Calls, "is_cut", lambda calls, end: True)
    long_call(store)
    storing.show(3, 4)
    assert STREAMS[read](reader) == 3


@pytest.mark.parametrize("read", [*READS, "stream_info", "read_stream"])
def test_a_log_that_was_cut_in_a_call_can_be_read(storing, store, reader, read, monkeypatch):
    """A restored backup may end there. It is waited for once, and not longer than a part of a call's time."""
    long_call(store)
    pauses = end_all_patience(monkeypatch)
    storing.show(3, FOREVER)
    look = (READS | STREAMS)[read]
    assert (look(reader), len(pauses)) == (3, 1)
    if read != "subscribe":
        assert (look(reader), len(pauses)) == (3, 1)


@pytest.mark.parametrize("read", ["poll", "read_all", "head_position", "stream_info", "read_stream"])
def test_who_may_have_lost_its_majority_does_not_tell_that_a_call_was_cut(storing, store, reader, read, monkeypatch):
    long_call(store)
    end_all_patience(monkeypatch)
    pretend_lost_majority(monkeypatch)
    storing.show(3, FOREVER)
    with pytest.raises(TransientStorageError, match="behind position 5, with which a call ends"):
        (READS | STREAMS)[read](reader)
    storing.left = 0
    assert (READS | STREAMS)[read](reader) == 5


def test_it_costs_no_further_request_where_nothing_is_being_stored(storing, store, reader):
    long_call(store)
    for read, count in ((READS["poll"], 2), (STREAMS["stream_info"], 2), (READS["head_position"], 2)):
        before = storing.asked
        assert (read(reader), storing.asked - before) == (5, count)
