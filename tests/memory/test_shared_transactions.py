"""Exactly once, events share transactions: also where some of them fail by no fault of the storage."""

from __future__ import annotations

import time
from typing import Any

from mink_core import ExpectedVersion, NewEvent, RetryPolicy, StoredEvent, WhenExhausted, open_store

EVENTS, PAGE = 400, 50


def test_an_event_that_the_handler_refuses_does_not_end_the_sharing() -> None:
    transactions: list[Any] = []
    handled: list[int] = []

    def handle(event: StoredEvent, tx: Any) -> None:
        if not any(tx is other for other in transactions[-1:]):
            transactions.append(tx)
        if event.data % 25 == 7:
            raise ValueError(event.data)
        handled.append(event.data)

    with open_store("memory://") as store:
        events = [NewEvent("Made", number) for number in range(EVENTS)]
        store.append("a-1", events, expected_version=ExpectedVersion.NO_STREAM)
        policy = RetryPolicy(retries=0, then=WhenExhausted.PARK)
        options: dict[str, Any] = {"transactional": True, "batch_size": PAGE, "retry": policy}
        with store.subscription("mostly", handle, **options) as worker:
            end = time.monotonic() + 60
            while any(it.lag_events for it in store.subscriptions.list()) or not handled:
                assert not worker.wait(0.02)
                assert time.monotonic() < end
        assert len(list(store.parked.list("mostly"))) == EVENTS // 25
        # Two bad ones a page: each ends one transaction, and what was before it is done in another.
        assert len(transactions) <= 5 * EVENTS // PAGE
        assert {*handled} == {it for it in range(EVENTS) if it % 25 != 7}
