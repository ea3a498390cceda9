"""Partitions: the streams of a store split by a stable hash of their ids (rule SUB-09)."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from mink_core.errors import UsageError

MAX_PARTITIONS = 1024
"""Partitions of one subscription at most."""


class Partition(msgspec.Struct, frozen=True):
    """One share of all streams. A stream's events are all in one, so their order is kept.

    Raises:
        UsageError: When made with what is no share.
    """

    index: int
    """From 0, below `of`."""
    of: int
    """How many shares there are, 1 to 1024."""

    def __post_init__(self) -> None:
        """Check both numbers."""
        check_partitions(self.of)
        if type(self.index) is not int or not 0 <= self.index < self.of:
            msg = f"a partition's index is an int from 0 to {self.of - 1}, not {self.index!r:.40}"
            raise UsageError(msg)

    def has(self, stream_id: str) -> bool:
        """Whether a stream is in this share."""
        return partition_of(stream_id, self.of) == self.index


def partition_of(stream_id: str, of: int) -> int:
    """Which of `of` partitions a stream is in: the same in every adapter, process and version.

    The first four bytes of the SHA-256 of its id in UTF-8, as an unsigned big-endian number, modulo `of`.
    """
    return int.from_bytes(sha256(stream_id.encode()).digest()[:4], "big") % of


def check_partitions(count: object) -> int:
    """Refuse what is no number of partitions.

    Raises:
        UsageError: When it is no int from 1 to `MAX_PARTITIONS`.
    """
    if type(count) is not int or not 1 <= count <= MAX_PARTITIONS:
        msg = f"partitions must be an int from 1 to {MAX_PARTITIONS}, not {count!r:.40}"
        raise UsageError(msg)
    return count
