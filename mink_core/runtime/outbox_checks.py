"""Arguments of `OutboxStore`, checked the same way by every adapter."""

from __future__ import annotations

from uuid import UUID

from mink_core.errors import UsageError
from mink_core.limits import MAX_CALL_EVENTS, MAX_WORKER_NAME, check_between, check_count, check_seconds, check_text
from mink_core.outbox import MessageStatus


def check_claim(worker: object, limit: object, lease: object) -> None:
    """Check the arguments of `claim`.

    Raises:
        UsageError: One is wrong.
    """
    check_text(worker, "worker", MAX_WORKER_NAME)
    check_between(limit, "limit", 1, MAX_CALL_EVENTS)
    check_seconds(lease, "lease")


def check_message_id(message_id: object) -> None:
    """Refuse what is no message id.

    Raises:
        UsageError: It is no UUID.
    """
    if not isinstance(message_id, UUID):
        msg = f"message_id must be a UUID, not {message_id!r:.60}"
        raise UsageError(msg)


def check_list(status: object, after: object, limit: object) -> None:
    """Check the arguments of `list` and `dead_letters`.

    Raises:
        UsageError: One is wrong.
    """
    if status is not None and not isinstance(status, MessageStatus):
        msg = f"status must be a MessageStatus or None, not {status!r:.60}"
        raise UsageError(msg)
    check_count(after, "after")
    check_count(limit, "limit")


def check_purge(older_than: object, dead: object, limit: object) -> None:
    """Check the arguments of `purge`. A mistyped filter must never delete more than was meant.

    Raises:
        UsageError: One is wrong.
    """
    check_seconds(older_than, "older_than", zero=True)
    check_count(limit, "limit")
    if type(dead) is not bool:
        msg = f"dead must be a bool, not {dead!r:.60}"
        raise UsageError(msg)
