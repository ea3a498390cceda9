"""The stores around the log, async and sync. What is not here is refused (CAP-01)."""

from __future__ import annotations

from mink_jetstream.substores.checkpoints import AsyncJetStreamCheckpoints, JetStreamCheckpoints
from mink_jetstream.substores.parked import AsyncJetStreamParkedEvents, JetStreamParkedEvents
from mink_jetstream.substores.snapshots import AsyncJetStreamSnapshots, JetStreamSnapshots
from mink_jetstream.substores.subscriptions import AsyncJetStreamSubscriptions, JetStreamSubscriptions

__all__ = [
    "AsyncJetStreamCheckpoints",
    "AsyncJetStreamParkedEvents",
    "AsyncJetStreamSnapshots",
    "AsyncJetStreamSubscriptions",
    "JetStreamCheckpoints",
    "JetStreamParkedEvents",
    "JetStreamSnapshots",
    "JetStreamSubscriptions",
]
