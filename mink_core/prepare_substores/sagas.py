"""Sagas, checked and encoded."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves annotations at run time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from mink_core.errors import UsageError
from mink_core.json_codec import encode_json
from mink_core.limits import check_between, check_count, check_moment, check_seconds, check_text
from mink_core.sagas import MAX_HANDLED, Saga, SagaStatus

if TYPE_CHECKING:
    from collections.abc import Sequence


_MOST_CLAIMS = 1_000_000


class PreparedSaga(msgspec.Struct, frozen=True):
    """A saga that was checked and encoded."""

    saga_id: str
    saga_type: str
    state: str
    """JSON text."""
    status: SagaStatus
    correlation_id: str | None
    due_at: datetime | None
    handled: tuple[UUID, ...]
    expected: int


def prepare_saga(saga: object, expected_version: object) -> PreparedSaga:
    """Check and encode the arguments of `SagaStore.save`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    if not isinstance(saga, Saga):
        msg = f"save takes a Saga, not {type(saga).__name__}"
        raise UsageError(msg)
    if not isinstance(saga.status, SagaStatus):
        msg = f"a saga's status is a SagaStatus, not {saga.status!r:.60}"
        raise UsageError(msg)
    handled: Sequence[Any] = tuple(saga.handled)
    if not all(isinstance(event_id, UUID) for event_id in handled):
        msg = "a saga's handled holds UUIDs of events"
        raise UsageError(msg)
    return PreparedSaga(
        check_text(saga.saga_id, "saga id"),
        check_text(saga.saga_type, "saga type"),
        encode_json(saga.state, "state"),
        saga.status,
        None if saga.correlation_id is None else check_text(saga.correlation_id, "correlation id"),
        None if saga.due_at is None else check_moment(saga.due_at, "a saga's due_at"),
        tuple(handled[-MAX_HANDLED:]),
        check_count(expected_version, "expected_version"),
    )


def check_find(correlation_id: object, saga_type: object, statuses: object, after: object, limit: object) -> None:
    """Check the arguments of `SagaStore.find`.

    Raises:
        UsageError: One is wrong.
    """
    for value, what in ((correlation_id, "correlation id"), (saga_type, "saga type"), (after, "saga id")):
        if value is not None:
            check_text(value, what)
    given = statuses if isinstance(statuses, (list, tuple, set, frozenset)) else [None]
    if not all(isinstance(status, SagaStatus) for status in given):
        msg = f"statuses must be a sequence of SagaStatus, not {statuses!r:.60}"
        raise UsageError(msg)
    check_count(limit, "limit")


def check_claim_due(limit: object, lease: object, saga_type: object, max_claims: object) -> None:
    """Check the arguments of `SagaStore.claim_due`.

    Raises:
        UsageError: One is wrong.
    """
    check_between(limit, "limit", 1, _MOST_CLAIMS)
    check_between(max_claims, "max_claims", 1, _MOST_CLAIMS)
    check_seconds(lease, "lease")
    if saga_type is not None:
        check_text(saga_type, "saga type")
