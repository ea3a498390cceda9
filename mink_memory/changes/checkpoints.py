"""Checkpoints: load, save by compare-and-set, reset, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.checkpoints import Checkpoint
from mink_core.errors import CheckpointConflictError, LeaseLostError
from mink_memory.records import Change, Records

if TYPE_CHECKING:
    from mink_core.events import StoreIdentity
    from mink_core.leases import Lease
    from mink_memory.keys import RecordKey

TABLE = "checkpoint"
LEASES = "lease"


def load(name: str) -> Change[Checkpoint | None]:
    """One checkpoint."""

    def apply(records: Records) -> Checkpoint | None:
        found: Checkpoint | None = records.get(TABLE, name)
        return found

    return Change((), apply)


def save(
    name: str, position: int, expected: int | None, identity: StoreIdentity | None, lease: Lease | None
) -> Change[None]:
    """Compare-and-set, fenced by the lease."""

    def apply(records: Records) -> None:
        if lease is not None:
            fence(records, lease, name)
        found: Checkpoint | None = records.get(TABLE, name)
        actual = None if found is None else found.position
        if actual != expected:
            raise CheckpointConflictError(name, expected, actual)
        history = identity or (records.identity if found is None else found.identity)
        records.put(TABLE, name, Checkpoint(name, position, history, records.now))

    keys: list[RecordKey] = [(TABLE, name)]
    if lease is not None:
        keys.append((LEASES, (lease.subscription, lease.partition)))
    return Change(tuple(keys), apply)


def fence(records: Records, lease: Lease, name: str) -> None:
    """Refuse a lease that is not the newest, and keep it the newest until the transaction ends.

    Raises:
        LeaseLostError: Somebody else has taken over.
    """
    key = (lease.subscription, lease.partition)
    row = records.get(LEASES, key)
    if row is None or row.token != lease.token:
        raise LeaseLostError(name, lease.token)
    records.lock(LEASES, key)


def reset(name: str, position: int | None) -> Change[None]:
    """Put it there, whatever it is."""

    def apply(records: Records) -> None:
        if position is None:
            records.drop(TABLE, name)
        else:
            records.put(TABLE, name, Checkpoint(name, position, records.identity, records.now))

    return Change(((TABLE, name),), apply)


def list_all() -> Change[list[Checkpoint]]:
    """All of them."""

    def apply(records: Records) -> list[Checkpoint]:
        return [record for _, record in sorted(records.items(TABLE))]

    return Change((), apply)
