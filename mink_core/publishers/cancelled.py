"""Which cancellation is the relay's, and which a message's failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.cancelled import cancelled_inside
from mink_core.publishers.base import PublishError

if TYPE_CHECKING:
    import asyncio


def failure_of(error: asyncio.CancelledError) -> PublishError:
    """What a cancellation inside a publisher says of its messages.

    Raises:
        asyncio.CancelledError: It is the running task that is to end.
    """
    return cancelled_inside("publisher", error, PublishError)
