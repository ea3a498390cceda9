"""How far the feed is, and who holds it back (rule FEED-07)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- looked up at run time by get_type_hints

import msgspec


class FeedHolder(msgspec.Struct, frozen=True):
    """An open transaction that has appended; the feed waits for its end."""

    after_position: int
    """Only positions above this one wait for it."""
    since: datetime | None
    """When the transaction began, or was prepared where it is a prepared one; None where the storage does not tell."""
    seconds: float
    """How long it has been open, by the storage's clock."""
    process: int | None
    """The storage's process id for it; None for a prepared transaction."""
    application: str
    """What the client calls itself; empty where it says nothing."""
    doing: str
    """Its state and last statement, as far as the caller may see them."""


class FeedStatus(msgspec.Struct, frozen=True):
    """A look at the feed's end."""

    head: int
    """The newest event's position that the feed shows."""
    mark: int
    """Everything at or below it is settled. Never a position to go on from: it may have no event."""
    high: int
    """The highest position that was ever allocated."""
    holders: tuple[FeedHolder, ...]
    """The open transactions that have appended, the one that holds back most first."""
