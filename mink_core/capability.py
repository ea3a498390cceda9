"""What an adapter may leave out, and how it says so."""

from __future__ import annotations

from enum import Enum


class Capability(Enum):
    """Optional parts of the contract.

    An adapter declares what it has in `EventStore.capabilities`. What is declared passes every
    test of it; what is not raises `CapabilityNotSupportedError` when used (rule CAP-01). What
    is not listed here is required of every adapter.
    """

    APPEND_BATCH = "append_batch"
    """`append_batch`: several streams in one call, all or nothing (APPEND-11)."""

    BACKWARDS = "backwards"
    """`direction=Direction.BACKWARD` in `read_stream` and `read_all` (READ-03)."""

    METADATA_FILTER = "metadata_filter"
    """`EventFilter.metadata` (READ-05)."""

    TIME_FILTER = "time_filter"
    """`EventFilter.since` and `EventFilter.until` (READ-05)."""

    UNIQUE_EVENT_IDS = "unique_event_ids"
    """An event id is stored at most once in the whole store, under every expectation (APPEND-09)."""

    SUBSCRIBE = "subscribe"
    """`subscribe`: catch-up, then live (SUB-01 to SUB-05)."""

    DURABLE_SUBSCRIPTIONS = "durable_subscriptions"
    """Named subscriptions that resume after their checkpoint (SUB-06 to SUB-08)."""

    PARTITIONS = "partitions"
    """A subscription split over several workers under leases (SUB-09)."""

    CHECKPOINTS = "checkpoints"
    """`store.checkpoints`: positions saved by compare-and-set (SUB-08)."""

    SNAPSHOTS = "snapshots"
    """`store.snapshots`: the newest version wins (SNAP-01)."""

    OUTBOX = "outbox"
    """`store.outbox`: messages stored with the append, claimed under a lease (OUTBOX-01 to 04)."""

    IDEMPOTENCY = "idempotency"
    """`store.idempotency`: keys reserved by one owner, with the response (IDEM-01, 02)."""

    SAGAS = "sagas"
    """`store.sagas`: state saved by compare-and-set (SAGA-01)."""

    TRANSACTIONS = "transactions"
    """`transaction()`: several calls committed together or not at all (TX-01, 03, 04)."""

    SQL_TRANSACTION = "sql_transaction"
    """`transaction().connection`: the raw connection, for the caller's own SQL (TX-01, 02)."""

    PRIVACY = "privacy"
    """Soft delete, tombstone, redaction and purge (PRIV-01 to 05)."""
