"""What the adapter is called, and what it can do, by any driver."""

from __future__ import annotations

from mink_core.capability import Capability

ADAPTER = "PostgreSQL"

CAPABILITIES = frozenset(
    {
        Capability.APPEND_BATCH,
        Capability.BACKWARDS,
        Capability.CHECKPOINTS,
        Capability.DURABLE_SUBSCRIPTIONS,
        Capability.PARTITIONS,
        Capability.METADATA_FILTER,
        Capability.TIME_FILTER,
        Capability.IDEMPOTENCY,
        Capability.OUTBOX,
        Capability.SAGAS,
        Capability.SNAPSHOTS,
        Capability.SUBSCRIBE,
        Capability.TRANSACTIONS,
        Capability.SQL_TRANSACTION,
    }
)


def capabilities(*, unique_event_ids: bool, privacy: bool) -> frozenset[Capability]:
    """What a store with these options has."""
    found = set(CAPABILITIES)
    if unique_event_ids:
        found.add(Capability.UNIQUE_EVENT_IDS)
    if privacy:
        found.add(Capability.PRIVACY)
    return frozenset(found)
