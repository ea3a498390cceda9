"""Telling a cancellation that somebody asked for from one that arose inside: client libraries cancel futures of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

E = TypeVar("E", bound=Exception)


def failure_of(error: asyncio.CancelledError, where: str, kind: Callable[[str], E]) -> E:
    """The failure that a cancellation is which nobody asked for.

    Args:
        error: The cancellation, which becomes the failure's cause.
        where: What it arose in.
        kind: Makes the failure of its message.

    Raises:
        asyncio.CancelledError: Somebody has cancelled the running task, and it is to end.
    """
    if _is_asked_for():
        raise error
    said = f"cancelled inside the {where}"
    failure = kind(f"{said}: {error}" if str(error) else said)
    failure.__cause__ = error
    return failure


def _is_asked_for() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here, and threads are not cancelled
        return False
    return task is not None and task.cancelling() > 0
