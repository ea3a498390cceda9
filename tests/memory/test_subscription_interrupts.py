"""Ctrl-C at every moment of a live subscription's step: the batch is handed out, or comes again."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from mink_core import ExpectedVersion, NewEvent, open_store
from tests.interrupts import interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core import StoredEvent, Subscription


def take(subscription: Subscription, batches: list[Sequence[StoredEvent]]) -> None:
    for batch in subscription:
        batches.append(batch)
        return


def test_an_interrupted_step_skips_no_batch() -> None:
    with open_store("memory://") as store:
        store.initialize()
        store.append("a-1", [NewEvent("Made", {}) for _ in range(3)], expected_version=ExpectedVersion.ANY)
        for moment in count(1):
            batches: list[Sequence[StoredEvent]] = []
            subscription = store.subscribe(batch_size=2)
            was_interrupted = interrupted(lambda: take(subscription, batches), moment)  # noqa: B023 -- called at once
            take(store.subscribe(after_position=subscription.position, batch_size=2), batches)
            given = [event.version for batch in batches for event in batch]
            assert given in ([1, 2], [1, 2, 3]), f"interrupted at moment {moment}"
            if not was_interrupted:
                assert moment > 10  # else it counted nothing
                break
