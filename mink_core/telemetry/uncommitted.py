"""Events that are appended, and not stored yet."""

from __future__ import annotations


class Uncommitted:
    """Counts what a transaction appends: its commit stores it, if anything does."""

    count = 0

    def _stored(self, count: int) -> None:
        self.count += count
