"""A publisher of a function that publishes one message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mink_core.cancelled import failure_of
from mink_core.publishers.base import PublishError
from mink_core.unawaited import check_done, check_plain, check_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mink_core.outbox import ClaimedMessage


class CallablePublisher:
    """Calls a function for each message, in order; what it raises is that message's failure."""

    def __init__(self, function: Callable[[ClaimedMessage], object]) -> None:
        """Keep the function.

        Raises:
            UsageError: It is a coroutine function, those are for `AsyncCallablePublisher`; or it has a yield.
        """
        check_plain(function, "a CallablePublisher's function")
        self._function = function

    def publish(self, messages: Sequence[ClaimedMessage]) -> list[Exception | None]:
        """See `Publisher.publish`."""
        return [self._one(message) for message in messages]

    def _one(self, message: ClaimedMessage) -> Exception | None:
        try:
            check_done(self._function(message), "a CallablePublisher's function")
        except asyncio.CancelledError as error:
            return failure_of(error, "publisher", PublishError)
        except Exception as error:  # noqa: BLE001 -- the outcome of this message
            return error
        return None


class AsyncCallablePublisher:
    """Awaits a function for each message, several at a time."""

    def __init__(self, function: Callable[[ClaimedMessage], Awaitable[object]], *, concurrency: int = 10) -> None:
        """Keep the function.

        Args:
            function: Publishes one message.
            concurrency: At most so many calls at a time; 1 keeps the order of one `publish`. (Ordered
                messages of one stream never come in one `publish`.)

        Raises:
            UsageError: The function has a yield.
        """
        check_runs(function, "an AsyncCallablePublisher's function")
        self._function = function
        self._concurrency = concurrency

    async def publish(self, messages: Sequence[ClaimedMessage]) -> list[Exception | None]:
        """See `Publisher.publish`."""
        free = asyncio.Semaphore(self._concurrency)

        async def one(message: ClaimedMessage) -> Exception | None:
            async with free:
                try:
                    await self._function(message)
                except asyncio.CancelledError as error:
                    return failure_of(error, "publisher", PublishError)
                except Exception as error:  # noqa: BLE001 -- the outcome of this message
                    return error
            return None

        return list(await asyncio.gather(*map(one, messages)))
