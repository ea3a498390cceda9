"""From one version of a projection to the next, without a step back for its readers."""

from __future__ import annotations

import time
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
    error: Exception = SubscriptionNotFoundError(new)

    def work(tx: Any) -> Steps[bool]:
        nonlocal error
        statuses = {status.name: status for status in (yield tx.subscriptions.list())}
        if old not in statuses:
            raise SubscriptionNotFoundError(old)
        if new not in statuses:  # its first worker may have been started a moment ago
            return False
        error = TimeoutError(
            f"{new!r} did not catch up with {old!r} within {seconds:g} s; nothing was changed: is its worker running?"
        )
        if _least(statuses[new]) < _furthest(statuses[old]):
            return False
        yield from _hold(tx, statuses[old])
        yield tx.subscriptions.pause(old)
        outcome = act(tx)
        if outcome is not None:
            yield outcome
        return True

    end, pause = time.monotonic() + seconds, door.signal()
    while True:
        try:
            if (yield from within(door, store.transaction(), work)):
                return
        except CheckpointConflictError:
            pass  # the old one has moved on between the look and the lock
        if time.monotonic() > end:
            raise error
        yield pause.wait(_LOOK_AGAIN)


def _furthest(status: SubscriptionStatus) -> int:
    return max((part.position or 0) for part in status.partitions)


def _least(status: SubscriptionStatus) -> int:
    return min((part.position or 0) for part in status.partitions)


def _hold(tx: Any, status: SubscriptionStatus) -> Steps[None]:
    """Save each checkpoint where it is: locked, so that it goes no further before this commits."""
    for part in status.partitions:
        if part.position is not None:
            name = checkpoint_name(status.name, part.partition, len(status.partitions))
            yield tx.checkpoints.save(name, part.position, expected=part.position)
