"""Telling of a failure under a durable subscription: to the log, and to the caller."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mink_core.errors.root import words_of
from mink_core.handling import NextStep

if TYPE_CHECKING:
    from mink_core.handling import OnError, SubscriptionFailure

log = logging.getLogger("mink.subscriptions")
"""Records carry `subscription`, `partition`, `position`, `event_type`, `attempt` and `next_step` as attributes."""


def tell(failure: SubscriptionFailure, on_error: OnError | None) -> None:
    """Log a failure and hand it to the caller; what the caller's function raises is logged too."""
    event = failure.event
    log.log(
        logging.ERROR if failure.next_step is NextStep.STOP else logging.WARNING,
        "subscription %s, partition %s: %s: %s; next: %s in %.2f s",
        failure.subscription,
        failure.partition,
        type(failure.error).__name__,
        words_of(failure.error),
        failure.next_step.value,
        failure.wait,
        extra={
            "subscription": failure.subscription,
            "partition": failure.partition,
            "position": None if event is None else event.global_position,
            "event_type": None if event is None else event.event_type,
            "attempt": failure.attempt,
            "next_step": failure.next_step.value,
        },
    )
    if on_error is not None:
        try:
            on_error(failure)
        except Exception:
            log.exception("subscription %s: on_error itself failed", failure.subscription)
