"""A server that is storing a call, one message after another, and what reads of it say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mink_core import Direction, EventFilter, ExpectedVersion, NewEvent, StreamAppend
from mink_jetstream.jetstream import JetStream

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from mink_jetstream import JetStreamEventStore

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
