"""What a durable subscription was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mink_core.capability import Capability
from mink_core.errors import CapabilityNotSupportedError, UsageError
from mink_core.filters import EVERYTHING, EventFilter
from mink_core.handling import OnError, RetryPolicy
from mink_core.limits import check_count, check_seconds, check_subscription_name
from mink_core.partitions import check_partitions
from mink_core.runtime.checks import check_subscribe
from mink_core.unawaited import check_plain

if TYPE_CHECKING:
    from collections.abc import Callable


POLL_INTERVAL = 0.1
"""Seconds between polls of a subscription that has caught up, unless told otherwise."""
LEASE_SECONDS = 10.0
"""How long a worker that is silent keeps its partitions, unless told otherwise."""
BATCH_SIZE = 500
"""Events between two checkpoints at most, unless told otherwise."""

_RETRY = RetryPolicy()


@dataclass(frozen=True, kw_only=True)
class SubscriptionSettings:
    """The arguments of `subscription`, checked."""

    name: str
    handler: Callable[..., Any]
    transactional: bool
    where: EventFilter = EVERYTHING
    partitions: int = 1
    after_position: int | None = 0
    batch_size: int = BATCH_SIZE
    poll_interval: float = POLL_INTERVAL
    lease_seconds: float = LEASE_SECONDS
    retry: RetryPolicy = _RETRY
    on_error: OnError | None = None

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            UsageError: One is wrong.
        """
        check_subscription_name(self.name)
        check_partitions(self.partitions)
        check_subscribe(self.after_position or 0, self.where, self.batch_size, self.poll_interval, None)
        if self.after_position is not None:
            check_count(self.after_position, "after_position")
        check_seconds(self.lease_seconds, "lease_seconds")
        if not callable(self.handler):
            msg = f"a handler is called with each event, so it must be callable, unlike {self.handler!r:.60}"
            raise UsageError(msg)
        check_plain(self.on_error, "on_error")
        if not isinstance(self.retry, RetryPolicy):
            msg = f"retry must be a RetryPolicy, not {type(self.retry).__name__}"
            raise UsageError(msg)
        if self.where.partition is not None:
            msg = "where.partition is chosen by the worker: give partitions instead"
            raise UsageError(msg)

    def check_capabilities(self, adapter: str, capabilities: frozenset[Capability]) -> None:
        """Refuse what the adapter has not (CAP-01).

        Raises:
            CapabilityNotSupportedError: It lacks something that is needed.
        """
        needed = [Capability.DURABLE_SUBSCRIPTIONS]
        if self.partitions > 1:
            needed.append(Capability.PARTITIONS)
        if self.transactional:
            needed.append(Capability.TRANSACTIONS)
        for capability in needed:
            if capability not in capabilities:
                raise CapabilityNotSupportedError(adapter, capability)
