"""Limits and grammar, the same in every adapter (rule APPEND-12)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from mink_core.errors import UsageError
from mink_core.expected import Expected, ExpectedVersion

MAX_STREAM_ID = 500
"""Characters (code points) in a stream id."""
MAX_CATEGORY = 250
"""Characters in a stream id's category."""
MAX_EVENT_TYPE = 500
"""Characters in an event type."""
MAX_CHECKPOINT_NAME = 255
"""Characters in a checkpoint's name."""
MAX_SUBSTORE_NAME = 500
"""Characters in a destination, an idempotency key, a saga's id, type and correlation id, a snapshot's type."""
MAX_WORKER_NAME = 200
"""Characters in a worker's name."""
MAX_SECONDS = 10 * 365 * 86_400
"""Seconds in a delay, a lease or a time to live: ten years."""
MAX_INT32 = 2**31 - 1
"""The attempts of a message, and a snapshot's schema version."""
MAX_SUBSCRIPTION_NAME = 200
"""Characters in the name of a subscription."""
MAX_JSON_DEPTH = 128
"""Objects and arrays inside one another, in data and in metadata."""
MAX_JSON_BYTES = 8 * 1024 * 1024
"""Encoded bytes of one event's data, and of its metadata."""
MAX_CALL_EVENTS = 10_000
"""Events in one call of `append` or `append_batch`."""
MAX_CALL_BYTES = 64 * 1024 * 1024
"""Encoded bytes of data and metadata of all events in one call."""
MAX_VERSION = 2**63 - 1 - MAX_CALL_EVENTS
"""Above any version that can be appended to in signed 64 bits, so that no storage overflows on looking there."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one store takes of events, where its storage takes less than the contract allows.

    A store that has such limits tells them in an attribute `limits` once it is open, and refuses what is above them
    before anything is sent, as all others.
    """

    call_events: int = MAX_CALL_EVENTS
    """Events in one call of `append` or `append_batch`."""
    event_bytes: int = 2 * MAX_JSON_BYTES
    """Encoded bytes of one event's data and metadata together."""


def limits_of(store: object) -> Limits:
    """The limits of a store: its own, or the contract's."""
    found = getattr(store, "limits", None)
    return found if isinstance(found, Limits) else Limits()


# Unicode's control characters (category Cc) and the surrogates, which no encoding of text has.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def category_of(stream_id: str) -> str:
    """The category of a stream: what stands before the first `-`, else the whole id.

    The category of `order-42` is `order`. One function says so for every adapter.
    """
    return stream_id.partition("-")[0]


def check_stream_id(stream_id: object) -> str:
    """Refuse what is no stream id.

    Raises:
        UsageError: When it is no str, empty, above `MAX_STREAM_ID` characters, holds a control
            character or a lone surrogate, or its category is empty or above `MAX_CATEGORY`.
    """
    name = check_text(stream_id, "stream id", MAX_STREAM_ID)
    if name[0] == "-":
        msg = "a stream id must not begin with '-': what stands before the first '-' is its category (1-250 characters)"
        raise UsageError(msg)
    check_category(category_of(name))
    return name


def checked_category(stream_id: str) -> str:
    """The category of a stream id that is checked on the way.

    Raises:
        UsageError: As by `check_stream_id`.
    """
    if type(stream_id) is str:  # an equal str of a subclass is none
        return _checked_category(stream_id)
    return category_of(check_stream_id(stream_id))


# Appends come to the same streams again and again: looking one up takes a fifth of checking it.
@lru_cache(maxsize=4096)
def _checked_category(stream_id: str) -> str:
    return category_of(check_stream_id(stream_id))


def check_category(category: object) -> str:
    """Refuse what no stream can have as its category.

    Raises:
        UsageError: When it is no str, empty, above `MAX_CATEGORY` characters, holds a `-`, a
            control character or a lone surrogate.
    """
    name = check_text(category, "category", MAX_CATEGORY)
    if "-" in name:
        msg = f"a category holds no '-', as it ends before the first one: {name!r:.100}"
        raise UsageError(msg)
    return name


def check_event_type(event_type: object) -> str:
    """Refuse what is no event type.

    Raises:
        UsageError: When it is no str, empty, above `MAX_EVENT_TYPE` characters, or holds a
            control character or a lone surrogate.
    """
    if type(event_type) is str:  # an equal str of a subclass is none
        return _checked_event_type(event_type)
    return check_text(event_type, "event type", MAX_EVENT_TYPE)


@lru_cache(maxsize=1024)
def _checked_event_type(event_type: str) -> str:
    return check_text(event_type, "event type", MAX_EVENT_TYPE)


def check_event_id(event_id: object) -> UUID:
    """Refuse what is no event's id.

    Raises:
        UsageError: When it is no UUID; the text of one is none.
    """
    if isinstance(event_id, UUID):
        return event_id
    msg = f"event_id must be a UUID, not {type(event_id).__name__}: {event_id!r:.60}"
    raise UsageError(msg)


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


def check_destination(destination: object) -> str:
    """Refuse what is no destination of an outbox message, as `check_text`."""
    if type(destination) is str:  # an equal str of a subclass is none
        return _checked_destination(destination)
    return check_text(destination, "destination")


@lru_cache(maxsize=1024)
def _checked_destination(destination: str) -> str:
    return check_text(destination, "destination")


def check_checkpoint_name(name: object) -> str:
    """Refuse what is no checkpoint's name.

    Raises:
        UsageError: When it is no str, empty, above `MAX_CHECKPOINT_NAME` characters, or holds a
            control character or a lone surrogate.
    """
    return check_text(name, "checkpoint name", MAX_CHECKPOINT_NAME)


def check_subscription_name(name: object) -> str:
    """Refuse what is no subscription's name.

    Raises:
        UsageError: When it is no str, empty, above `MAX_SUBSCRIPTION_NAME` characters, or holds a
            `#`, a control character or a lone surrogate.
    """
    text = check_text(name, "subscription name", MAX_SUBSCRIPTION_NAME)
    if "#" in text:
        msg = f"a subscription's name holds no '#', which separates its partitions' numbers: {text!r:.100}"
        raise UsageError(msg)
    return text


def check_owner(owner: object) -> str:
    """Refuse what is no worker's name, as `check_subscription_name`, but with `#` allowed."""
    return check_text(owner, "owner", MAX_WORKER_NAME)


def check_text(value: object, what: str, limit: int = MAX_SUBSTORE_NAME) -> str:
    """Refuse what is no name of 1 to `limit` characters.

    Raises:
        UsageError: When it is no str, empty, above the limit, or holds a control character or a
            lone surrogate.
    """
    if type(value) is not str:
        msg = f"{what} must be a str, not {type(value).__name__}"
        raise UsageError(msg)
    if not 0 < len(value) <= limit:
        msg = f"{what} must have 1 to {limit} characters, not {len(value)}: {value[:40]!r}"
        raise UsageError(msg)
    if bad := _FORBIDDEN.search(value):
        msg = f"{what} holds {bad.group()!r} at index {bad.start()}; control characters and lone surrogates are refused"
        raise UsageError(msg)
    return value


def check_seconds(value: object, what: str, *, zero: bool = False) -> float:
    """Refuse what is no number of seconds above 0 (or at least 0), up to `MAX_SECONDS`.

    Raises:
        UsageError: When it is something else; NaN and bool are.
    """
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and 0 <= value <= MAX_SECONDS
        and (zero or value)
    ):
        return float(value)
    least = "of at least" if zero else "above"
    msg = f"{what} must be a number of seconds {least} 0, at most ten years, not {value!r:.60}"
    raise UsageError(msg)


def check_moment(value: object, what: str) -> datetime:
    """Refuse what is no moment; it comes back in UTC, as it will be read.

    Raises:
        UsageError: When it is no datetime with a time zone, or of a year in UTC that Python does not know.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        msg = f"{what} must be a datetime with a time zone, not {value!r:.60}"
        raise UsageError(msg)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        msg = f"{what} must be within the years 1 to 9999 of UTC, not {value!r:.100}"
        raise UsageError(msg) from None


def check_between(value: object, what: str, low: int, high: int) -> int:
    """Refuse what is no int from `low` to `high` (bool is none).

    Raises:
        UsageError: When it is something else.
    """
    if type(value) is not int or not low <= value <= high:
        msg = f"{what} must be an int from {low} to {high}, not {value!r:.60}"
        raise UsageError(msg)
    return value


def check_count(value: object, name: str) -> int:
    """Refuse what is no count: an int of at least 0 and below 2**63 (bool is none).

    Raises:
        UsageError: When it is something else.
    """
    if type(value) is not int or not 0 <= value < 2**63:
        msg = f"{name} must be an int of at least 0, not {value!r:.100}"
        raise UsageError(msg)
    return value


def check_limit(limit: object) -> int | None:
    """Like `check_count`, for a `limit` where None means no limit."""
    return None if limit is None else check_count(limit, "limit")
