"""From one version of a projection to the next, without a step back for its readers."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mink_core.errors import CheckpointConflictError, SubscriptionNotFoundError
from mink_core.runtime.doors import within
from mink_core.subscriptions import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_core.runtime.doors import Door
    from mink_core.runtime.steps import Steps
    from mink_core.subscriptions import SubscriptionStatus

_LOOK_AGAIN = 0.05


def switch_steps(  # noqa: PLR0913, PLR0917 -- two subscriptions, on a store of a door
    store: Any, door: Door, old: str, new: str, act: Callable[[Any], Any], seconds: float
) -> Steps[None]:
    """See `switch`."""
    end, pause = time.monotonic() + seconds, door.signal()
    # Asked once: it tells how far all are behind, and while that is counted the old one moves on.
    while (checkpoints := (yield from _checkpoints(store, old, new))) is None:
        if time.monotonic() > end:
            raise SubscriptionNotFoundError(new)
        yield pause.wait(_LOOK_AGAIN)
    olds, news = checkpoints

    def work(tx: Any) -> Steps[bool]:
        # First without a lock, the new one's last: what it handles meanwhile counts.
        furthest = max((yield from _positions(tx, olds)))
        if min((yield from _positions(tx, news))) < furthest:
            return False
        furthest = yield from _hold(tx, olds)
        if min((yield from _positions(tx, news))) < furthest:
            return False
        yield tx.subscriptions.pause(old)
        outcome = act(tx)
        if outcome is not None:
            yield outcome
        return True

    while True:
        with suppress(CheckpointConflictError):  # the old one has moved on between the look and the lock
            if (yield from within(door, store.transaction(), work)):
                return
        if time.monotonic() > end:
            msg = f"{new!r} did not catch up with {old!r} within {seconds:g} s; nothing was changed: is its worker running?"
            raise TimeoutError(msg)
        yield pause.wait(_LOOK_AGAIN)


def _checkpoints(store: Any, old: str, new: str) -> Steps[tuple[list[str], list[str]] | None]:
    """The names of both one's checkpoints; None while the new one is not there, whose first worker may just start."""
    statuses = {status.name: status for status in (yield store.subscriptions.list())}
    if old not in statuses:
        raise SubscriptionNotFoundError(old)
    return (_names(statuses[old]), _names(statuses[new])) if new in statuses else None


def _names(status: SubscriptionStatus) -> list[str]:
    count = len(status.partitions)
    return [checkpoint_name(status.name, part.partition, count) for part in status.partitions]


def _positions(tx: Any, names: list[str]) -> Steps[list[int]]:
    found: list[int] = []
    for name in names:
        checkpoint = yield tx.checkpoints.load(name)
        found.append(0 if checkpoint is None else checkpoint.position)
    return found


def _hold(tx: Any, names: list[str]) -> Steps[int]:
    """Save each checkpoint where it is: locked, so that it goes no further before this commits. Tells the furthest."""
    furthest = 0
    for name in names:
        checkpoint = yield tx.checkpoints.load(name)
        if checkpoint is not None:
            yield tx.checkpoints.save(name, checkpoint.position, expected=checkpoint.position)
            furthest = max(furthest, checkpoint.position)
    return furthest
