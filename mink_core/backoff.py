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
        # The exponent is bounded, as a float's is.
        longest = min(self.most, self.first * self.factor ** min(attempts - 1, 100))
        return longest * (1 - self.jitter * chance())


DEFAULT = Backoff()
"""1 s, 2 s, 4 s … up to 5 min, each shortened by up to a half."""


def backoff(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait after a failed attempt: doubling, and spread by a random factor of 0.5 to 1.

    Args:
        attempt: How many attempts have failed, from 1.
        first: The most after the first one.
        longest: The most after any.
    """
    return min(first * 2.0 ** min(attempt - 1, 60), longest) * (0.5 + chance() / 2)
