"""The contract of Mink: what goes into an event store, what comes out, and what may go wrong."""

from mink_core.backoff import Backoff
from mink_core.capability import Capability
from mink_core.checkpoints import AsyncCheckpointStore, Checkpoint, CheckpointStore
from mink_core.direction import Direction
from mink_core.errors import (
    AdapterError,
    AdapterNotInstalledError,
    CapabilityNotSupportedError,
    CheckpointConflictError,
    ConcurrencyError,
    DuplicateEventError,
    DuplicateMessageError,
    HandlerCancelledError,
    HandlerFailedError,
    KeyBusyError,
    LeaseLostError,
    MinkError,
    OutcomeUnknownError,
    PositionAheadError,
    SagaConflictError,
    SchemaError,
    StorageError,
    StoreClosedError,
    StreamNotFoundError,
    StreamTombstonedError,
    SubjectErasedError,
    SubscriptionNotFoundError,
    TransientStorageError,
    UnknownAdapterError,
    UnreadableEventError,
    UsageError,
)
from mink_core.event_store import AsyncEventLog, AsyncEventStore, AsyncTransaction, EventLog, EventStore, Transaction
from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StoreIdentity, StreamAppend, StreamInfo
from mink_core.expected import Expected, ExpectedVersion
from mink_core.feed_status import FeedHolder, FeedStatus
from mink_core.filters import EventFilter
from mink_core.finding import Finding
from mink_core.handling import NextStep, RetryPolicy, SubscriptionFailure, SubscriptionOptions, WhenExhausted
from mink_core.idempotency import AsyncIdempotencyStore, IdempotencyRecord, IdempotencyStore, Reservation
from mink_core.leases import Lease
from mink_core.limits import category_of
from mink_core.outbox import (
    AsyncOutboxStore,
    ClaimedMessage,
    MessageStatus,
    OutboxMessage,
    OutboxStore,
    StoredMessage,
    Verdict,
)
from mink_core.parked import AsyncParkedEventStore, ParkedEvent, ParkedEventStore
from mink_core.partitions import Partition, partition_of
from mink_core.payloads import TypedPayloads
from mink_core.privacy import AsyncPrivacyStore, PrivacyOperation, PrivacyRecord, PrivacyStore
from mink_core.projections import Projection, append_inline, append_inline_async, handles, switch, switch_async
from mink_core.publishers import AsyncCallablePublisher, AsyncPublisher, CallablePublisher, Publisher, PublishError
from mink_core.registry import Namespaces, known_schemes, open_async_store, open_namespaces, open_store
from mink_core.runtime.async_relay import AsyncOutboxRelay
from mink_core.runtime.idempotent import idempotent
from mink_core.runtime.relay import OutboxRelay
from mink_core.runtime.relaying import RelayCounts, RelayOptions
from mink_core.runtime.worker import AsyncSubscriptionWorker, SubscriptionWorker
from mink_core.sagas import AsyncSagaStore, Saga, SagaStatus, SagaStore, StoredSaga
from mink_core.snapshots import AsyncSnapshotStore, Snapshot, SnapshotInfo, SnapshotStore, Tail
from mink_core.subscriber import (
    AsyncStore,
    AsyncSubscriber,
    AsyncSubscription,
    Store,
    Subscriber,
    Subscription,
)
from mink_core.subscriptions import (
    AsyncSubscriptionStore,
    Holding,
    PartitionStatus,
    SubscriptionStatus,
    SubscriptionStore,
)
from mink_core.transforms import EventTransform

__version__ = "0.1.0"

__all__ = [
    "AdapterError",
    "AdapterNotInstalledError",
    "AppendResult",
    "AsyncCallablePublisher",
    "AsyncCheckpointStore",
    "AsyncEventLog",
    "AsyncEventStore",
    "AsyncIdempotencyStore",
    "AsyncOutboxRelay",
    "AsyncOutboxStore",
    "AsyncParkedEventStore",
    "AsyncPrivacyStore",
    "AsyncPublisher",
    "AsyncSagaStore",
    "AsyncSnapshotStore",
    "AsyncStore",
    "AsyncSubscriber",
    "AsyncSubscription",
    "AsyncSubscriptionStore",
    "AsyncSubscriptionWorker",
    "AsyncTransaction",
    "Backoff",
    "CallablePublisher",
    "Capability",
    "CapabilityNotSupportedError",
    "Checkpoint",
    "CheckpointConflictError",
    "CheckpointStore",
    "ClaimedMessage",
    "ConcurrencyError",
    "Direction",
    "DuplicateEventError",
    "DuplicateMessageError",
    "EventFilter",
    "EventLog",
    "EventStore",
    "EventTransform",
    "Expected",
    "ExpectedVersion",
    "FeedHolder",
    "FeedStatus",
    "Finding",
    "HandlerCancelledError",
    "HandlerFailedError",
    "Holding",
    "IdempotencyRecord",
    "IdempotencyStore",
    "KeyBusyError",
    "Lease",
    "LeaseLostError",
    "MessageStatus",
    "MinkError",
    "Namespaces",
    "NewEvent",
    "NextStep",
    "OutboxMessage",
    "OutboxRelay",
    "OutboxStore",
    "OutcomeUnknownError",
    "Page",
    "ParkedEvent",
    "ParkedEventStore",
    "Partition",
    "PartitionStatus",
    "PositionAheadError",
    "PrivacyOperation",
    "PrivacyRecord",
    "PrivacyStore",
    "Projection",
    "PublishError",
    "Publisher",
    "RelayCounts",
    "RelayOptions",
    "Reservation",
    "RetryPolicy",
    "Saga",
    "SagaConflictError",
    "SagaStatus",
    "SagaStore",
    "SchemaError",
    "Snapshot",
    "SnapshotInfo",
    "SnapshotStore",
    "StorageError",
    "Store",
    "StoreClosedError",
    "StoreIdentity",
    "StoredEvent",
    "StoredMessage",
    "StoredSaga",
    "StreamAppend",
    "StreamInfo",
    "StreamNotFoundError",
    "StreamTombstonedError",
    "SubjectErasedError",
    "Subscriber",
    "Subscription",
    "SubscriptionFailure",
    "SubscriptionNotFoundError",
    "SubscriptionOptions",
    "SubscriptionStatus",
    "SubscriptionStore",
    "SubscriptionWorker",
    "Tail",
    "Transaction",
    "TransientStorageError",
    "TypedPayloads",
    "UnknownAdapterError",
    "UnreadableEventError",
    "UsageError",
    "Verdict",
    "WhenExhausted",
    "__version__",
    "append_inline",
    "append_inline_async",
    "category_of",
    "handles",
    "idempotent",
    "known_schemes",
    "open_async_store",
    "open_namespaces",
    "open_store",
    "partition_of",
    "switch",
    "switch_async",
]
