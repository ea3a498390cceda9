"""What is sent to the servers, and what may become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio

    from nats.aio.msg import Msg


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
