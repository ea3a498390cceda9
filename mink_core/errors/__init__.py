"""Every error that Mink raises on purpose.

    MinkError
    ├── ConcurrencyError                  the stream is not at the expected version; nothing was stored
    ├── DuplicateEventError               an event id is stored already, with other content or elsewhere
    ├── StreamTombstonedError             the stream was closed for ever
    ├── SubjectErasedError                the key of the person was erased; nothing is encrypted for them any more
    ├── PositionAheadError                a reader's position is not from this store's history
    ├── CheckpointConflictError           somebody else moved the checkpoint
    ├── HandlerFailedError                a subscription's handler failed each time; its worker has ended
    ├── HandlerCancelledError             a handler was cancelled by itself; what `on_error` is told, and a cause
    ├── LeaseLostError                    another worker took over; nothing of this one is stored
    ├── DuplicateMessageError             an outbox message id is stored already, by another call
    ├── SagaConflictError                 the saga is not at the expected version, or was deleted
    ├── KeyBusyError                      somebody still works on the idempotency key
    ├── StreamNotFoundError               also LookupError
    ├── SubscriptionNotFoundError         also LookupError
    ├── UsageError                        also ValueError; refused before anything was sent
    │   └── UnreadableEventError          a transform of the store cannot read a stored event
    ├── StoreClosedError                  the store (or subscription, or transaction) is closed
    ├── SchemaError                       not initialized, or newer or older than this code
    ├── CapabilityNotSupportedError       the adapter does not offer what was asked
    ├── AdapterError
    │   ├── UnknownAdapterError           also LookupError
    │   └── AdapterNotInstalledError      also ImportError
    └── StorageError                      the storage failed
        ├── TransientStorageError         nothing was stored; the same call may be retried
        └── OutcomeUnknownError           the reply was lost

Every class carries its fields as attributes and pickles. A message says what
happened, what was and was not stored, and what to do next.
"""

from __future__ import annotations

from mink_core.errors.adapters import (
    AdapterError,
    AdapterNotInstalledError,
    CapabilityNotSupportedError,
    UnknownAdapterError,
)
from mink_core.errors.log import (
    ConcurrencyError,
    DuplicateEventError,
    PositionAheadError,
    StreamNotFoundError,
    StreamTombstonedError,
    SubjectErasedError,
    UnreadableEventError,
)
from mink_core.errors.root import MinkError, SchemaError, StoreClosedError, UsageError
from mink_core.errors.storage import OutcomeUnknownError, StorageError, TransientStorageError
from mink_core.errors.substores import (
    CheckpointConflictError,
    DuplicateMessageError,
    HandlerCancelledError,
    HandlerFailedError,
    KeyBusyError,
    LeaseLostError,
    SagaConflictError,
    SubscriptionNotFoundError,
)

__all__ = [
    "AdapterError",
    "AdapterNotInstalledError",
    "CapabilityNotSupportedError",
    "CheckpointConflictError",
    "ConcurrencyError",
    "DuplicateEventError",
    "DuplicateMessageError",
    "HandlerCancelledError",
    "HandlerFailedError",
    "KeyBusyError",
    "LeaseLostError",
    "MinkError",
    "OutcomeUnknownError",
    "PositionAheadError",
    "SagaConflictError",
    "SchemaError",
    "StorageError",
    "StoreClosedError",
    "StreamNotFoundError",
    "StreamTombstonedError",
    "SubjectErasedError",
    "SubscriptionNotFoundError",
    "TransientStorageError",
    "UnknownAdapterError",
    "UnreadableEventError",
    "UsageError",
]

for _name in __all__:
    # They are known by this place: in tracebacks, in pickles, and to who looks for their documentation.
    globals()[_name].__module__ = __name__
