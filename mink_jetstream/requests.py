"""What is sent to the servers, and what may become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mink_jetstream.answers import RefusedError

if TYPE_CHECKING:
    import asyncio

    from nats.aio.msg import Msg


_END, _NOTHING = "204", "404"
"""How a page ends: after its messages, or as nothing matches."""
_BEFORE = "Nats-Last-Sequence"
_LOST = "a part of the reply was lost on its way"


class UnreachableError(Exception):
    """The request did not get to anybody who acts on it: nothing was done."""


class UnansweredError(Exception):
    """The request was sent, and no reply came: it may have been done."""


class Request:
    """A message to send: its subject, payload and headers."""

    __slots__ = ("headers", "payload", "subject")

    def __init__(self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Keep the three."""
        self.subject = subject
        self.payload = payload
        self.headers = headers or {}


class Gathered(NamedTuple):
    """The replies to a request that is answered by several messages."""

    messages: list[Msg]
    end: Msg
    """The last one: it has a status, and no payload."""


class Gathering:
    """Replies while they come."""

    __slots__ = ("done", "messages")

    def __init__(self, done: asyncio.Future[Any]) -> None:
        """None came yet; `done` gets the last one."""
        self.done = done
        self.messages: list[Msg] = []


def status_of(msg: Msg) -> str | None:
    """The status of a reply that is no message of a stream."""
    found: str | None = None if msg.headers is None else msg.headers.get("Status")
    return found


def whole(gathered: Gathered) -> list[Msg]:
    """The messages of a page, none of which was lost on its way: each says which one was sent before it.

    Raises:
        UnansweredError: One was lost.
        RefusedError: The request is refused.
    """
    messages, end = gathered
    status = status_of(end)
    if status not in {_END, _NOTHING}:
        raise RefusedError(int(status or 0), f"a direct get: {end.headers}")
    before = "0"
    for message in messages:
        headers: Any = message.headers
        if headers.get(_BEFORE) != before:
            raise UnansweredError(_LOST)
        before = headers["Nats-Sequence"]
    if (end.headers or {}).get(_BEFORE, "0") != before:  # also where all of them were lost
        raise UnansweredError(_LOST)
    return messages
