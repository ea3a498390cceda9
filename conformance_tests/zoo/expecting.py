"""Expectations of an append, as the zoo's members look at them."""

from __future__ import annotations

from typing import Any

from mink_core import ExpectedVersion, StreamNotFoundError

ANY, NO_STREAM, STREAM_EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


def version_of(store: Any, stream_id: str) -> int:
    """A stream's version, 0 where it does not exist."""
    try:
        return int(store.stream_info(stream_id).version)
    except StreamNotFoundError:
        return 0


def number_of(expected: Any) -> int | None:
    """The exact version meant, None for the others."""
    return 0 if expected is NO_STREAM else expected if type(expected) is int else None
