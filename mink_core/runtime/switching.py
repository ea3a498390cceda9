"""From one version of a projection to the next, without a step back for its readers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mink_core.errors import CheckpointConflictError, SubscriptionNotFoundError
from mink_core.runtime.doors import within
from mink_core.subscriptions import checkpoint_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.runtime.doors import Door
    from mink_core.runtime.steps import Steps
    from mink_core.subscriptions import SubscriptionStatus

_LOOK_AGAIN = 0.05


def switch_steps(  # noqa: PLR0913, PLR0917 -- two subscriptions, on a store of a door
    store: Any, door: Door, old: str, new: str, act: Callable[[Any], Any], seconds: float
) -> Steps[None]:
    """See `switch`."""

    def work(tx: Any) -> Steps[bool]:
        statuses = yield tx.subscriptions.list()
        before, after = _find(statuses, old), _find(statuses, new)
        furthest = max((part.position or 0) for part in before.partitions)
        if min((part.position or 0) for part in after.partitions) < furthest:
            return False
        for part in before.partitions:
            if part.position is not None:
                # Saved where it is: locked, so that the old one goes no further before this commits.
                name = checkpoint_name(old, part.partition, len(before.partitions))
                yield tx.checkpoints.save(name, part.position, expected=part.position)
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
            msg = f"{new!r} did not catch up with {old!r} within {seconds:g} s; nothing was changed: is its worker running?"
            raise TimeoutError(msg)
        yield pause.wait(_LOOK_AGAIN)


def _find(statuses: Sequence[SubscriptionStatus], name: str) -> SubscriptionStatus:
    for status in statuses:
        if status.name == name:
            return status
    raise SubscriptionNotFoundError(name)
