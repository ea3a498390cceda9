"""An event as a JetStream message: the version, and what comes after it in its call, in headers; all else in a JSON body.

A consumer that knows nothing of Mink reads the body: `{"id", "type", "time", "data", "metadata"}`. Metadata
may have megabytes and headers have 64 KiB, so it is no header.
"""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID  # noqa: TC003 -- as above

import msgspec

from mink_core.encoded import EncodedEvent
from mink_core.errors import StorageError

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from mink_core.prepare import PreparedEvent
    from mink_jetstream.subjects import Subjects

VERSION = "Mink-Version"
"""The header with the event's version in its stream."""
REST = "Mink-Rest"
"""The header with how many events of the same call come after this one: in its stream, and in all. Not where none does."""
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
OVERHEAD = 4096
"""Bytes that a message has beside its data and metadata at most: headers, and an event type of 500 characters."""
_VERSION = re.compile(rb"(?m)^Mink-Version: *([0-9]+)\r$")
_REST = re.compile(rb"(?m)^Mink-Rest: *([0-9]+ [0-9]+)\r$")


_NONE = msgspec.Raw(b"")


class _Body(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    id: UUID
    type: str
    time: datetime
    data: msgspec.Raw
    metadata: msgspec.Raw = _NONE


class LoggedEvent(EncodedEvent, frozen=True, gc=False):
    """An event as it was read, with what is to come of its call."""

    stream_rest: int = 0
    """How many events of the call come after it in its stream."""
    call_rest: int = 0
    """How many come after it in all. They follow without a gap."""

    @property
    def call_end(self) -> int:
        """The position of its call's last event."""
        return self.global_position + self.call_rest


class StreamTail(NamedTuple):
    """The newest event of a stream, as far as an append needs it."""

    version: int
    sequence: int
    time: datetime | None


NOTHING = StreamTail(0, 0, None)
"""The tail of a stream that does not exist."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Body).decode


def body_of(event: PreparedEvent, time: datetime) -> bytes:
    """The payload of an event's message."""
    metadata = _NONE if event.metadata is None else msgspec.Raw(event.metadata.encode())
    return _encode(_Body(event.event_id, event.event_type, time, msgspec.Raw(event.data.encode()), metadata))


def event_of(subjects: Subjects, msg: Msg) -> LoggedEvent:
    """The event of a message that a direct get gave.

    Raises:
        StorageError: It is no event of ours: somebody else wrote to the subject.
    """
    headers: Any = msg.headers
    subject, sequence = headers["Nats-Subject"], int(headers["Nats-Sequence"])
    return _event(subjects, subject, sequence, headers.get(VERSION), headers.get(REST), msg.data)


class Stored(msgspec.Struct, frozen=True):
    """A message as the leader gives it."""

    subject: str
    seq: int
    time: datetime
    hdrs: str = ""
    """Base64."""
    data: str = ""
    """Base64."""


def stored_event(subjects: Subjects, message: Stored) -> LoggedEvent:
    """The event of a message that the leader gave; see `event_of`."""
    headers = b64decode(message.hdrs)
    found, more = _VERSION.search(headers), _REST.search(headers)
    version = None if found is None else found.group(1)
    rest = None if more is None else more.group(1)
    return _event(subjects, message.subject, message.seq, version, rest, b64decode(message.data))


def _event(  # noqa: PLR0913, PLR0917 -- the parts of a message
    subjects: Subjects,
    subject: str,
    sequence: int,
    version: str | bytes | None,
    rest: str | bytes | None,
    data: bytes,
) -> LoggedEvent:
    try:
        if version is None:
            msg = f"it has no header {VERSION}"
            raise ValueError(msg)  # noqa: TRY301 -- told below, as every other reason
        body = _decode(data)
        stream_rest, call_rest = (0, 0) if rest is None else map(int, rest.split())
        return LoggedEvent(
            subjects.stream_id(subject),
            int(version),
            sequence,
            body.id,
            body.type,
            bytes(body.data).decode(),
            bytes(body.metadata).decode() or None,
            body.time,
            stream_rest,
            call_rest,
        )
    except ValueError as error:
        msg = (
            f"message {sequence} on {subject} is no event of this store ({error}): something else publishes to the store's "
            "subjects; take its permission away, and move the store's events to a store that is whole"
        )
        raise StorageError(msg) from error


def tail_of(event: EncodedEvent) -> StreamTail:
    """What an append needs of a stream's newest event."""
    return StreamTail(event.version, event.global_position, event.timestamp)
