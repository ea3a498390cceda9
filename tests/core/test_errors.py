"""Every error carries its fields, pickles, and says what was stored and what to do."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mink_core import Capability, ExpectedVersion, StoredEvent, errors

ID = UUID(int=7)
EVERY = [
    errors.ConcurrencyError("order-1", 3, 5),
    errors.ConcurrencyError("order-1", ExpectedVersion.STREAM_EXISTS, 0),
    errors.DuplicateEventError(ID),
    errors.StreamTombstonedError("order-1"),
    errors.PositionAheadError(9, 4),
    errors.CheckpointConflictError("balances", None, 4),
    errors.StreamNotFoundError("order-1"),
    errors.UsageError("wrong"),
    errors.StoreClosedError("closed"),
    errors.SchemaError("old"),
    errors.CapabilityNotSupportedError("memory", Capability.OUTBOX),
    errors.UnknownAdapterError("ftp", ["memory", "postgresql"]),
    errors.AdapterNotInstalledError("postgresql+asyncpg", "asyncpg", "asyncpg"),
    errors.StorageError("failed", sqlstate="XX000"),
    errors.TransientStorageError("failed", sqlstate="40001"),
    errors.OutcomeUnknownError("lost", retry_is_safe=True, sqlstate="08006"),
    errors.OutcomeUnknownError("lost", retry_is_safe=False),
    errors.HandlerCancelledError("cancelled inside the handler"),
    errors.HandlerFailedError("balances", 7, "Paid", 3, "ValueError: no"),
    errors.LeaseLostError("balances", 3),
    errors.DuplicateMessageError(ID),
    errors.SagaConflictError("saga-1", 2, None),
    errors.KeyBusyError("pay-1"),
    errors.SubscriptionNotFoundError("balances"),
    errors.SubjectErasedError("customer-1"),
    errors.UnreadableEventError(
        StoredEvent("order-1", 1, 1, ID, "Placed", {}, {}, datetime(2026, 11, 30, tzinfo=UTC)), KeyError("currency")
    ),
]


def subclasses(kind: type) -> set[type]:
    """Those of the core: an adapter may have more."""
    below = [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    return {kind}.union(*map(subclasses, below))


def test_the_list_above_is_whole_and_every_name_ends_in_error() -> None:
    kinds = subclasses(errors.MinkError)
    # The two that only group others are never raised themselves.
    assert kinds - {type(error) for error in EVERY} == {errors.MinkError, errors.AdapterError}
    assert all(kind.__name__.endswith("Error") for kind in kinds)


def test_the_tree_in_the_docstring_names_each_of_them() -> None:
    assert errors.__doc__ is not None
    assert {kind.__name__ for kind in subclasses(errors.MinkError)} <= set(errors.__doc__.split())


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_pickled_and_back(error: errors.MinkError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_also_the_builtin_that_a_caller_would_expect() -> None:
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.StreamNotFoundError, LookupError)
    assert issubclass(errors.UnknownAdapterError, LookupError)
    assert issubclass(errors.AdapterNotInstalledError, ImportError)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            EVERY[0],
            ["'order-1' is at version 5", "version 3 was expected", "nothing was stored", "read the stream again"],
        ),
        (EVERY[1], ["does not exist", "STREAM_EXISTS was expected"]),
        (EVERY[2], [str(ID), "nothing of this call was stored", "new ids"]),
        (EVERY[4], ["position 9 is above 4", "no event was read", "reset its checkpoint on purpose"]),
        (EVERY[5], ["'balances' is 4", "None was expected", "not changed"]),
        (EVERY[11], ["'ftp://'", "memory://, postgresql://"]),
        (EVERY[12], ["pip install 'mink-eventstore[asyncpg]'"]),
        (EVERY[15], ["repeat the same call", "at most once"]),
        (EVERY[16], ["could take effect twice", "look first whether it was stored"]),
    ],
)
def test_what_it_says(error: errors.MinkError, says: list[str]) -> None:
    assert [part for part in says if part not in str(error)] == []
