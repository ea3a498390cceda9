"""Telling a cancellation that somebody asked for from one that arose inside: client libraries cancel futures of their own."""

from __future__ import annotations

import asyncio


def is_asked_for() -> bool:
    """Whether somebody has cancelled the running task. Threads have none, and are not cancelled."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    return task is not None and task.cancelling() > 0


def cancelled_inside(what: str, error: asyncio.CancelledError) -> str:
    """What is told of one that arose inside."""
    said = f"cancelled inside the {what}"
    return f"{said}: {error}" if str(error) else said
