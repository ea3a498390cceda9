"""Idempotency keys and reservations, checked and encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mink_core.errors import UsageError
from mink_core.idempotency import Reservation
from mink_core.json_codec import encode_json
from mink_core.limits import check_count, check_seconds, check_stream_id, check_text

if TYPE_CHECKING:
    from uuid import UUID


class PreparedKey(msgspec.Struct, frozen=True):
    """The arguments of `IdempotencyStore.reserve`, checked and encoded."""

    key: str
    ttl: float
    stream_id: str | None
    metadata: str
    """JSON text of an object."""


def prepare_key(key: object, ttl: object, stream_id: object, metadata: object) -> PreparedKey:
    """Check and encode the arguments of `IdempotencyStore.reserve`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    if metadata is not None and type(metadata) is not dict:
        msg = f"metadata must be a dict or None, not {type(metadata).__name__}"
        raise UsageError(msg)
    return PreparedKey(
        check_key(key),
        check_seconds(ttl, "ttl"),
        None if stream_id is None else check_stream_id(stream_id),
        encode_json(metadata or {}, "metadata"),
    )


def check_key(key: object) -> str:
    """Refuse what is no key.

    Raises:
        UsageError: It is none.
    """
    return check_text(key, "idempotency key")


def check_list(after: object, limit: object) -> None:
    """Check the arguments of `IdempotencyStore.list`.

    Raises:
        UsageError: One is wrong.
    """
    if after is not None:
        check_key(after)
    check_count(limit, "limit")


def check_reservation(reservation: object) -> UUID:
    """The token of a reservation of ours.

    Raises:
        UsageError: It is none, or somebody else's.
    """
    if not isinstance(reservation, Reservation) or reservation.token is None:
        msg = "only a reservation of one's own (is_mine) can be completed or released"
        raise UsageError(msg)
    return reservation.token
