"""Whether a store can be used now: for the readiness check of a service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import MinkError

if TYPE_CHECKING:
    from mink_core.feed_status import FeedStatus
    from mink_core.subscriber import AsyncStore, Store


class Health(msgspec.Struct, frozen=True):
    """One look at a store."""

    healthy: bool
    """Whether it answered, and nobody holds its feed back for too long."""
    seconds: float
    """How long the look took."""
    held_seconds: float | None
    """For how long the oldest open append has held the feed back, 0 for not at all; None where the store did not answer."""
    problem: str
    """What is wrong; empty where it is healthy. Without a secret of the URL."""


def check_health(store: Store, *, max_hold: float = 60.0) -> Health:
    """Look at an open store. Never raises for what is wrong with it.

    Args:
        store: The store. A closed one is not healthy.
        max_hold: Seconds that an open append may hold the feed back.
    """
    began = time.perf_counter()
    try:
        store.ping()
        status = store.feed_status()
    except MinkError as error:
        return Health(healthy=False, seconds=time.perf_counter() - began, held_seconds=None, problem=str(error))
    return _judge(status, time.perf_counter() - began, max_hold)


async def check_health_async(store: AsyncStore, *, max_hold: float = 60.0) -> Health:
    """`check_health` for an async store."""
    began = time.perf_counter()
    try:
        await store.ping()
        status = await store.feed_status()
    except MinkError as error:
        return Health(healthy=False, seconds=time.perf_counter() - began, held_seconds=None, problem=str(error))
    return _judge(status, time.perf_counter() - began, max_hold)


def _judge(status: FeedStatus, seconds: float, max_hold: float) -> Health:
    held = max((it.seconds for it in status.holders), default=0.0)
    late = held > max_hold
    problem = f"an open append has held the feed back for {held:.0f} s; mink doctor names it" if late else ""
    return Health(healthy=not late, seconds=seconds, held_seconds=held, problem=problem)
