"""What a caller expects of a stream when it appends."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias


class ExpectedVersion(Enum):
    """Expectations that are not an exact version.

    A plain `Enum`: a member is no number, so that arithmetic on a version can never turn into one.
    """

    ANY = "any"
    """Append whatever the stream's version is; never a conflict."""

    NO_STREAM = "no_stream"
    """The stream must not exist. The exact version 0 means the same."""

    STREAM_EXISTS = "stream_exists"
    """The stream must exist, at whatever version."""


Expected: TypeAlias = ExpectedVersion | int
"""An `ExpectedVersion` or an exact version, an int of at least 0."""


def exact_version(expected: Expected) -> int | None:
    """The exact version meant (0 for `NO_STREAM`), or None where any version could do."""
    if isinstance(expected, int):
        return expected
    return 0 if expected is ExpectedVersion.NO_STREAM else None
