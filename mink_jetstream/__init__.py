"""The adapter for NATS JetStream, 2.12.3 or newer: a replicated log, past one machine."""

from mink_jetstream.async_store import AsyncJetStreamEventStore
from mink_jetstream.store import JetStreamEventStore

__all__ = ["AsyncJetStreamEventStore", "JetStreamEventStore"]
