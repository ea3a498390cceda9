"""Leases: who may work on something, with a token that fences everybody who had it before."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """The right to work on one partition of a subscription until somebody else takes over."""

    subscription: str
    partition: int
    """From 0."""
    token: int
    """Grows with every change of hands: a write with an older one is refused (SUB-09)."""
