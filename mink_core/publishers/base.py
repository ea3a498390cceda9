"""What a relay needs of a publisher, sync and async side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mink_core.errors import MinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.outbox import ClaimedMessage


class PublishError(MinkError):
    """A message could not be published. Any other exception does as well; this one can say more.

    Attributes:
        retry_in: Seconds to wait before the next attempt, ten years at most; 0 where it is negative. None, or what is no
            finite number, for the relay's backoff.
        give_up: No attempt can help: the message is a dead letter at once.
    """

    def __init__(self, message: str, *, retry_in: float | None = None, give_up: bool = False) -> None:
        """Keep what to do next."""
        super().__init__(message)
        self.retry_in = retry_in
        self.give_up = give_up


class Publisher(Protocol):
    """Publishes messages somewhere. Called again for a message whose outcome was lost: at least once."""

    def publish(self, messages: Sequence[ClaimedMessage]) -> Sequence[Exception | None]:
        """Publish messages, in order.

        Consumers can tell a repeat by `message.headers["message-id"]`, and which of two attempts is
        the newer by `message.token`.

        Returns:
            For each message None where it was published, or why not: one that failed takes no other
            with it. An exception that is raised counts for all of them.
        """
        ...


class AsyncPublisher(Protocol):
    """`Publisher` for asyncio."""

    async def publish(self, messages: Sequence[ClaimedMessage]) -> Sequence[Exception | None]:
        """See `Publisher.publish`."""
        ...
