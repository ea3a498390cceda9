"""What the adapter is called, and what it can do, by any driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.capability import Capability

if TYPE_CHECKING:
    from mink_postgres.options import PostgresOptions

ADAPTER = "PostgreSQL"

_ALWAYS = frozenset(
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


def capabilities_of(options: PostgresOptions) -> frozenset[Capability]:
    """What a store with these options has."""
    optional = {Capability.UNIQUE_EVENT_IDS: options.unique_event_ids, Capability.PRIVACY: options.privacy}
    return _ALWAYS | {capability for capability, is_on in optional.items() if is_on}
