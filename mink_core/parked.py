"""Parked events: what a subscription's handler failed on, kept for a second try."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.events import StoredEvent

MAX_PARKED_ERROR = 4000
"""Characters of an error that are kept."""


class ParkedEvent(msgspec.Struct, frozen=True):
    """An event that a subscription went past without having handled it.

    It names the event and holds none of its data: that is read from the log, as it is there now.
    """

    subscription: str
    global_position: int
    stream_id: str
    version: int
    event_type: str
    attempts: int
    """How often it was tried, replays included."""
    error: str
    """What the last try said."""
    parked_at: datetime
    """Aware, in UTC, by the storage's clock: the last time that it was parked."""
    replay: bool
    """Whether the subscription's workers were asked to try it again."""


class ParkedEventStore(Protocol):
    """The events that subscriptions have parked. Also on a transaction.

    Raises:
        CapabilityNotSupportedError: When asked for, without `Capability.DURABLE_SUBSCRIPTIONS`.
    """

    def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """Keep an event, or what its replay said now.

        Args:
            subscription: Whose handler failed.
            event: On what.
            attempts: How often in all.
            error: What was said; cut after 4,000 characters.
        """
        ...

    def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """The parked events of one subscription or of all, in order of name and position.

        Args:
            subscription: Whose; None means all.
            asked: Only those that the workers were asked to try again: they look for these several times a lease, however
                many are parked.
        """
        ...

    def replay(self, subscription: str, position: int | None = None) -> int:
        """Ask the subscription's workers to try again one event, or all that it has parked.

        Returns:
            How many events this asks for.
        """
        ...

    def remove(self, subscription: str, position: int) -> bool:
        """Let go of a parked event: it was handled, or nobody wants it to be.

        Returns:
            Whether it was there.
        """
        ...


class AsyncParkedEventStore(Protocol):
    """`ParkedEventStore` for asyncio."""

    async def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """See `ParkedEventStore.park`."""
        ...

    async def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """See `ParkedEventStore.list`."""
        ...

    async def replay(self, subscription: str, position: int | None = None) -> int:
        """See `ParkedEventStore.replay`."""
        ...

    async def remove(self, subscription: str, position: int) -> bool:
        """See `ParkedEventStore.remove`."""
        ...
