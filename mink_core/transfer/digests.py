"""A running digest for each stream: two stores with equal ones hold the same events in the same order."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mink_core.events import StoredEvent

_SIZE = 16
_START = bytes(_SIZE)
# Sorted: the order of keys is not kept by every storage (rule JSON-03).
_encode = msgspec.json.Encoder(order="sorted").encode


class StreamDigest(NamedTuple):
    """What stands for all events of a stream."""

    version: int
    """The newest event's."""
    events: int
    digest: bytes


class Digests:
    """The digest of each stream, and one of the order in which all of their events came.

    Keeps about 200 bytes a stream. A position has no part in it: it is another one in another store.
    """

    def __init__(self) -> None:
        """No event yet."""
        self._streams: dict[str, StreamDigest] = {}
        self._order = _START
        self.events = 0

    def add(self, event: StoredEvent) -> None:
        """Take in the next event of the feed."""
        before = self._streams.get(event.stream_id)
        text = canonical(event)
        self._streams[event.stream_id] = StreamDigest(
            event.version,
            before.events + 1 if before else 1,
            _chain(before.digest if before else _START, text),
        )
        self._order = _chain(self._order, f"{event.version} {event.stream_id}".encode())
        self.events += 1

    @property
    def order(self) -> str:
        """The digest of the order, as hexadecimal digits."""
        return self._order.hex()

    @property
    def streams(self) -> Mapping[str, StreamDigest]:
        """The digest of each stream."""
        return self._streams

    def differences(self, other: Digests) -> Iterator[str]:
        """The streams whose events are not the same, or not there."""
        yield from (name for name, mine in self._streams.items() if other._streams.get(name) != mine)


def canonical(event: StoredEvent) -> bytes:
    """The same bytes for the same event in any store: equal by rule JSON-01, whatever its position, and stored at the same moment."""
    stamp = event.timestamp
    if stamp.utcoffset():
        with suppress(OverflowError):  # of no year that Python knows in UTC: an import refuses it
            stamp = stamp.astimezone(UTC)
    body = [event.version, event.event_id, event.event_type, event.data, event.metadata, stamp]
    text = _encode(body)
    # It may lose its sign in a storage.
    return _encode(_unsigned(body)) if b"-0.0" in text else text


def _chain(before: bytes, text: bytes) -> bytes:
    return blake2b(before + text, digest_size=_SIZE).digest()


def _unsigned(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return value + 0.0
    if kind is dict:
        return {key: _unsigned(item) for key, item in value.items()}
    return [_unsigned(item) for item in value] if kind is list else value
