"""How far the consumer of one partition is, in memory and in its checkpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mink_core.subscriptions import checkpoint_name

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity
    from mink_core.leases import Lease
    from mink_core.runtime.settings import SubscriptionSettings
    from mink_core.runtime.steps import Steps

_SKIPPED = 1000
"""So many positions that the filter left out are worth a write of the checkpoint at once."""
_LATEST_SAVE = 1.0
"""Seconds after which also fewer are."""


class Progress:
    """A position that only moves on, saved by compare-and-set and fenced by the lease.

    So of two workers who believe that they own the partition, one is refused.
    """

    def __init__(self, store: Any, settings: SubscriptionSettings, lease: Lease) -> None:
        """Know nothing yet."""
        self.name = checkpoint_name(settings.name, lease.partition, settings.partitions)
        """The checkpoint's."""
        self.position = 0
        """Everything up to here was handled, parked or left out."""
        self.saved = 0
        """What the checkpoint says."""
        self.identity: StoreIdentity | None = None
        self._store = store
        self._start = settings.after_position
        self._lease = lease
        self._saved_at = 0.0

    def load(self) -> Steps[None]:
        """Begin where the checkpoint is; only it tells what is stored."""
        checkpoint = yield self._store.checkpoints.load(self.name)
        if checkpoint is not None:
            self.identity = checkpoint.identity or (yield self._store.identity())
            self.moved(checkpoint.position)
            return
        # Before the position: what is put in the place of this history in between is then told (FEED-08), not read over.
        self.identity = yield self._store.identity()
        start = self._start
        if start is None:
            start = yield self._store.head_position()
        # Written down at once: "from now on" must mean the same after a restart.
        yield self._store.checkpoints.save(self.name, start, expected=None, identity=self.identity, lease=self._lease)
        self.moved(start)

    def save_on(self, target: Any, position: int) -> Any:
        """A step: save a position on the store or in a transaction; `moved` comes after the commit."""
        return target.checkpoints.save(
            self.name, position, expected=self.saved, identity=self.identity, lease=self._lease
        )

    def fence_on(self, target: Any) -> Any:
        """A step: refuse the transaction unless the lease is still the newest at its commit."""
        return self.save_on(target, self.saved)

    def moved(self, position: int) -> None:
        """The checkpoint is here now."""
        self.saved = self.position = position
        self._saved_at = time.monotonic()

    def save(self) -> Steps[None]:
        """Bring the checkpoint to the position."""
        if self.position > self.saved:
            yield self.save_on(self._store, self.position)
            self.moved(self.position)

    def save_skipped(self) -> Steps[None]:
        """Save what the filter left out, without a write for every few events of others."""
        if self.position - self.saved >= _SKIPPED or time.monotonic() - self._saved_at >= _LATEST_SAVE:
            yield from self.save()
