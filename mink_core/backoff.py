"""How long to wait before something is tried again."""

from __future__ import annotations

import random

import msgspec

chance = random.SystemRandom().random
"""From 0 to 1. Not of the application's own generator: a seed there would make the waits of all its processes alike, and
these draws would change what it draws next."""


class Backoff(msgspec.Struct, frozen=True):
    """Exponential, with jitter, so that what failed together is not tried together."""

    first: float = 1.0
    """Seconds before the second attempt."""
    factor: float = 2.0
    """By so much each wait is longer than the one before."""
    most: float = 300.0
    """Seconds at most."""
    jitter: float = 0.5
    """From 0 to 1: this share of a wait is drawn at random."""

    def delay(self, attempts: int) -> float:
        """Seconds to wait after so many attempts, at least 1."""
        try:
            longest = min(self.most, self.first * float(self.factor) ** (attempts - 1))
        except OverflowError:  # no float is so large
            longest = self.most
        return longest * (1 - self.jitter * chance())
