"""What a caller expects of a stream when it appends."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from mink_core.errors import UsageError
from mink_core.limits import MAX_CALL_EVENTS


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

MAX_VERSION = 2**63 - 1 - MAX_CALL_EVENTS
"""Above any version that can be appended to in signed 64 bits, so that no storage overflows on looking there."""


def check_expected(expected: object) -> Expected:
    """Refuse what is no expectation; an exact 0 comes back as `NO_STREAM`.

    Raises:
        UsageError: For a negative int (`version - 1` at 0 must not switch the check off), a bool,
            an int that signed 64 bits leave no room to append after, or anything else.
    """
    if isinstance(expected, ExpectedVersion):
        return expected
    if type(expected) is not int or not 0 <= expected <= MAX_VERSION:
        msg = (
            "expected_version must be an exact version (an int of at least 0) or a member of "
            f"ExpectedVersion, not {expected!r:.100}; nothing was stored"
        )
        raise UsageError(msg)
    return expected or ExpectedVersion.NO_STREAM


def exact_version(expected: Expected) -> int | None:
    """The exact version meant (0 for `NO_STREAM`), or None where any version could do."""
    if isinstance(expected, int):
        return expected
    return 0 if expected is ExpectedVersion.NO_STREAM else None
