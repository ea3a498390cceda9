"""PRIV-03 and 04 beside readers: what is erased while somebody reads is whole in what he gets, and takes nothing else with it."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, fail
from conformance_tests.following import QUICK, Follower
from conformance_tests.interleavings.holding import Started
from conformance_tests.patience import wait_until
from mink_core import Capability, Direction, EventFilter, ExpectedVersion, NewEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conformance_tests.lab import Lab
    from mink_core import StoredEvent

_STREAMS, _EVENTS = 12, 20
_REDACTED = ({"redacted": True}, {"redacted": True})


class _Erased:
    """A store whose streams are purged, redacted in part or left alone, one call after the other."""

    def __init__(self, store: Any) -> None:
        """Fill it."""
        self._store = store
        for version in range(_EVENTS):
            for stream in range(_STREAMS):
                # Content of which each half tells that it belongs to the other.
                new = NewEvent(f"Type{stream % 2}", {"n": version, "stream": stream}, {"n": version, "stream": stream})
                store.append(f"s-{stream}", [new], expected_version=ExpectedVersion.ANY)
        self.written: dict[int, StoredEvent] = {event.global_position: event for event in store.read_all()}

    def calls(self) -> Iterator[Callable[[], Any]]:
        """What erases, in the order of the calls: by halves first, so that each stream is met in the middle."""
        privacy = self._store.privacy
        for up_to in (_EVENTS // 2, _EVENTS):
            for stream in range(0, _STREAMS, 3):
                yield partial(privacy.purge, f"s-{stream}", up_to_version=up_to, by="kit")
                data, metadata = _REDACTED
                yield partial(privacy.redact, f"s-{stream + 1}", up_to, data=data, metadata=metadata, by="kit")

    def judge(
        self, seen: Iterable[StoredEvent], what: str, wanted: Callable[[StoredEvent], bool] | None = None
    ) -> None:
        """Look at what one reader got, forwards: each event whole, once and in order, and all of those that stay."""
        positions = []
        for event in seen:
            positions.append(event.global_position)
            self._check(event, what)
        equal(positions, sorted(set(positions)), f"the order of the positions in {what}")
        got = set(positions)
        for position, event in self.written.items():
            is_kept = int(event.stream_id.partition("-")[2]) % 3 != 0
            if is_kept and position not in got and (wanted is None or wanted(event)):
                fail(f"an event that was not purged, in {what}", expected=event, seen="it was left out")

    def _check(self, event: StoredEvent, what: str) -> None:
        old = self.written[event.global_position]
        for name in ("stream_id", "version", "event_id", "event_type", "timestamp"):
            equal(getattr(event, name), getattr(old, name), f"the {name} of an event in {what}")
        content = (event.data, event.metadata)
        may_be_redacted = int(event.stream_id.partition("-")[2]) % 3 == 1 and event.version in {_EVENTS // 2, _EVENTS}
        if content != (old.data, old.metadata) and not (may_be_redacted and content == _REDACTED):
            fail(f"data and metadata of an event in {what}", expected=(old.data, old.metadata), seen=content)


@check("PRIV-04", "PRIV-03", needs=[Capability.PRIVACY])
def readers_meet_whole_events_while_others_are_erased(lab: Lab) -> None:
    """Who reads while events are purged and redacted gets each whole, as written or as redacted, and skips none that stays."""
    store = lab.open()
    erased = _Erased(lab.open())
    readers: dict[str, Iterator[StoredEvent]] = {
        "a read_all that was under way": iter(store.read_all()),
        "a read_all of one type": iter(store.read_all(where=EventFilter(event_types=("Type1",)))),
        "pages of 7": _polled(store),
    }
    if Capability.BACKWARDS in lab.capabilities:
        readers["a read_all backward"] = iter(store.read_all(direction=Direction.BACKWARD))
    got = {name: list(islice(reader, 3)) for name, reader in readers.items()}
    for call in erased.calls():
        call()
        for name, reader in readers.items():
            got[name] += islice(reader, 7)
    for name, reader in readers.items():
        got[name] += reader
    if Capability.BACKWARDS in lab.capabilities:
        erased.judge(got.pop("a read_all backward")[::-1], "a read_all backward")
    for name, events in got.items():
        erased.judge(events, name, (lambda it: it.event_type == "Type1") if "type" in name else None)


def _polled(store: Any) -> Iterator[StoredEvent]:
    position = 0
    while True:
        page = store.poll(position, limit=7)
        if not page.events and page.next_position == position:
            return
        yield from page.events
        position = page.next_position


@check("PRIV-04", "PRIV-03", needs=[Capability.PRIVACY, Capability.SUBSCRIBE])
def followers_meet_whole_events_while_others_are_erased(lab: Lab) -> None:
    """So do a subscription, and readers beside the calls that purge and redact."""
    store = lab.open()
    erased = _Erased(lab.open())
    follower = Follower(store.subscribe(batch_size=5, poll_interval=QUICK), pause=0.001)

    def erase() -> None:
        for call in erased.calls():
            call()

    erasing = Started(erase)
    while True:
        is_last = erasing.ended()
        erased.judge(store.read_all(), "a read_all beside them")
        if is_last:
            break
    erasing.result()
    last = store.append("last-1", [NewEvent("Last", {})], expected_version=0)
    wait_until(
        lambda: follower.error is not None or any(event.stream_id == "last-1" for event in follower.events),
        "the last event",
        lambda: len(follower.events),
    )
    follower.subscription.close()
    equal(follower.error, None, "what the subscription failed of")
    given = follower.events
    equal(given[-1].global_position, last.first_position, "the position of the last event")
    erased.judge(given[:-1], "a subscription")
