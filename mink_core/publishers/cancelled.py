"""Which cancellation is the relay's, and which a message's failure."""

from __future__ import annotations

import asyncio

from mink_core.publishers.base import PublishError


def failure_of(error: asyncio.CancelledError) -> PublishError:
    """What a cancellation inside a publisher says of its messages: a client library cancels futures of its own, too.

    Raises:
        asyncio.CancelledError: It is the running task that is to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise error
    said = "cancelled inside the publisher"
    failure = PublishError(f"{said}: {error}" if str(error) else said)
    failure.__cause__ = error
    return failure
