"""APPEND-01 while the server stores a batch, one message after another: whoever meets its middle waits for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mink_core import Direction, EventFilter, ExpectedVersion, NewEvent, StreamAppend, TransientStorageError
from mink_jetstream import JetStreamEventStore
from mink_jetstream.answers import Cluster, Peer
from mink_jetstream.calls import Calls
from mink_jetstream.feed import Feed
from mink_jetstream.jetstream import JetStream
from mink_jetstream.patience import Patience
from mink_jetstream.place import Place
from mink_jetstream.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOREVER = 1_000_000
BACKWARD = Direction.BACKWARD


class Storing:
    """A server that has stored the log up to `top` for as many answers as `left` says, and then all of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.top = self.left = self.asked = 0
        info, get, page = JetStream.info, JetStream.get, JetStream.page

        async def informs(jetstream: JetStream, stream: str, **more: Any) -> Any:
            found, top = await info(jetstream, stream, **more), self._top()
            return msgspec.structs.replace(
                found, state=msgspec.structs.replace(found.state, last_seq=min(found.state.last_seq, top))
            )

        async def gets(jetstream: JetStream, stream: str, wanted: dict[str, Any]) -> Any:
            found, top = await get(jetstream, stream, wanted), self._top()
            if found is None or found.seq <= top:
                return found
            for sequence in range(top, 0, -1) if "last_by_subj" in wanted else ():
                found = await get(jetstream, stream, {"seq": sequence})
                if found is not None and found.subject == wanted["last_by_subj"]:
                    return found
            return None

        async def pages(jetstream: JetStream, *wanted: Any) -> Any:
            found, top = await page(jetstream, *wanted), self._top()
            return [message for message in found if int(message.headers["Nats-Sequence"]) <= top]

        monkeypatch.setattr(JetStream, "info", informs)
        monkeypatch.setattr(JetStream, "get", gets)
        monkeypatch.setattr(JetStream, "page", pages)

    def _top(self) -> int:
        self.asked += 1
        if self.left == 0:
            return FOREVER
        self.left -= 1
        return self.top

    def show(self, top: int, times: int) -> None:
        """Have only so much for so many answers."""
        self.top, self.left = top, times


@pytest.fixture(params=[1, 3], ids=["one copy", "three copies"])
def storing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storing:
    """Whatever the server says, there are so many copies."""
    alone = request.param == 1
    monkeypatch.setattr(Place, "is_alone", property(lambda place: alone, lambda place, value: None), raising=False)
    return Storing(monkeypatch)


def events(count: int) -> list[NewEvent]:
    return [NewEvent("Placed", number) for number in range(count)]


def long_call(store: JetStreamEventStore) -> None:
    """Positions 2 to 5 are of one call."""
    store.append("order-1", events(1), expected_version=0)
    store.append("order-1", events(4), expected_version=1)


def batch(store: JetStreamEventStore) -> None:
    """Positions 2 to 5 are of one call, too."""
    store.append("order-1", events(1), expected_version=0)
    order, other = (StreamAppend(name, events(2), ExpectedVersion.ANY) for name in ("order-1", "other-1"))
    store.append_batch([order, other])


@pytest.fixture
def reader(store: JetStreamEventStore, url: str) -> Iterator[JetStreamEventStore]:
    """Another store, that has appended nothing, in use already."""
    with JetStreamEventStore(url) as other:
        other.poll(0)
        yield other


def subscribed(store: JetStreamEventStore) -> int:
    with store.subscribe() as subscription:
        return next(iter(subscription))[-1].global_position


ORDERS = EventFilter(stream_ids=("order-1",))
READS: dict[str, Callable[[JetStreamEventStore], int]] = {
    "poll": lambda store: store.poll(0).next_position,
    "poll a stream": lambda store: store.poll(0, where=ORDERS).events[-1].global_position,
    "read_all": lambda store: max(event.global_position for event in store.read_all()),
    "read_all of a stream": lambda store: max(event.global_position for event in store.read_all(where=ORDERS)),
    "read_all backwards": lambda store: next(iter(store.read_all(direction=BACKWARD))).global_position,
    "subscribe": subscribed,
    "head_position": lambda store: store.head_position(),
    "feed_status": lambda store: store.feed_status().high,
}
"""What they say is the end of the feed."""
STREAMS: dict[str, Callable[[JetStreamEventStore], int]] = {
    "stream_info": lambda store: store.stream_info("order-1").version,
    "streams": lambda store: next(iter(store.streams(category="order"))).version,
    "read_stream": lambda store: max(event.version for event in store.read_stream("order-1")),
    "read_stream backwards": lambda store: next(iter(store.read_stream("order-1", direction=BACKWARD))).version,
    "append": lambda store: store.append("order-1", events(1), expected_version=5).first_version - 1,
}
"""What they say is the version of the stream."""
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


async def never(patience: Patience) -> bool:
    return False


@pytest.mark.parametrize("read", [*READS, "stream_info", "read_stream"])
def test_a_log_that_was_cut_in_a_call_can_be_read(storing, store, reader, read, monkeypatch):
    """A restored backup may end there. It is waited for once, and not longer than a part of a call's time."""
    long_call(store)
    pause, pauses = Patience.pause, []

    async def counted(patience: Patience) -> bool:
        pauses.append(patience)
        return False

    monkeypatch.setattr(Patience, "pause", counted)
    storing.show(3, FOREVER)
    look = (READS | STREAMS)[read]
    assert (look(reader), len(pauses)) == (3, 1)
    if read != "subscribe":
        assert (look(reader), len(pauses)) == (3, 1)
    monkeypatch.setattr(Patience, "pause", pause)


@pytest.mark.parametrize("read", ["poll", "read_all", "head_position", "stream_info", "read_stream"])
def test_who_may_have_lost_its_majority_does_not_tell_that_a_call_was_cut(storing, store, reader, read, monkeypatch):
    long_call(store)
    monkeypatch.setattr(Patience, "pause", never)
    info, cut_off = JetStream.info, Cluster("node-0", tuple(Peer(f"node-{n}", active=4_000_000_000) for n in (1, 2)))

    async def alone(self: JetStream, *which: Any, **more: Any) -> Any:
        return msgspec.structs.replace(await info(self, *which, **more), cluster=cut_off)

    monkeypatch.setattr(JetStream, "info", alone)
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
