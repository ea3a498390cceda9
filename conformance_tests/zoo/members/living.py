"""Capabilities that do not hold, transactions that do not bind, stores that do not end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import (
    Capability,
    CapabilityNotSupportedError,
    ConcurrencyError,
    DuplicateEventError,
    StorageError,
    StoreClosedError,
    TransientStorageError,
    UsageError,
)

TRANSACTIONS = [Capability.TRANSACTIONS]


@breaks("TX-01", needs=TRANSACTIONS)
class CommitsEachCall(Wrapped):
    """A transaction is the store itself: each call is committed at once."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Any:
        with transaction:
            yield type(self)(self.store, self.shared, inside=True)


@breaks("TX-01", needs=TRANSACTIONS)
class CommitsOnError(Wrapped):
    """A block that ends with an error is committed all the same."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Any:
        failed = None
        with super()._transaction(transaction) as inner:
            try:
                yield inner
            except Exception as error:  # noqa: BLE001 -- raised again below, too late
                failed = error
        if failed:
            raise failed


@breaks("TX-01", "READ-06", needs=TRANSACTIONS)
class ReadsAround(Wrapped):
    """Reads inside a transaction do not see what it has appended."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Any:
        with super()._transaction(transaction) as inner:
            inner.read_stream = self.store.read_stream
            yield inner


@breaks("TX-03", needs=TRANSACTIONS)
class RefusalEndsIt(Wrapped):
    """A refused append spoils the transaction, as an SQL exception does."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        if getattr(self, "spoiled", False):
            msg = "current transaction is aborted, commands ignored until end of transaction block"
            raise StorageError(msg)
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except (ConcurrencyError, DuplicateEventError):
            self.spoiled = self.inside
            raise


@breaks("TX-03", "APPEND-11", needs=[Capability.APPEND_BATCH, *TRANSACTIONS])
class RefusalLeavesHalf(Wrapped):
    """A batch refused inside a transaction leaves its first items in it."""

    def append_batch(self, items: Any) -> Any:
        items = list(items)
        try:
            return self.store.append_batch(items)
        except ConcurrencyError:
            if self.inside:
                self.store.append_batch(items[:1])
            raise


@breaks("TX-04", needs=TRANSACTIONS)
class LockedIsAConflict(Wrapped):
    """Tells who has waited too long for a locked stream that there was a conflict."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except TransientStorageError:
            raise ConcurrencyError(stream_id, expected_version, 0) from None


@breaks("CAP-01", needs=[Capability.APPEND_BATCH])
class DeclaresMore(Wrapped):
    """Declares APPEND_BATCH and refuses it."""

    def append_batch(self, items: Any) -> Any:
        del items
        raise CapabilityNotSupportedError(type(self).__name__, Capability.APPEND_BATCH)


class _Without(Wrapped):
    """Declares one capability less."""

    missing: Capability

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(self.store.capabilities - {self.missing})


@breaks("CAP-01", needs=[Capability.APPEND_BATCH])
class OffersUndeclared(_Without):
    """Does what it does not declare: append_batch works, and nothing proves that it does."""

    missing = Capability.APPEND_BATCH


@breaks("CAP-01", needs=[Capability.BACKWARDS])
class IgnoresDirection(_Without):
    """Does not declare BACKWARDS, and reads forward where backwards is asked for."""

    missing = Capability.BACKWARDS

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        arguments.pop("direction", None)
        return self.store.read_stream(stream_id, **arguments)

    def read_all(self, **arguments: Any) -> Any:
        arguments.pop("direction", None)
        return self.store.read_all(**arguments)


@breaks("CAP-01", needs=[Capability.METADATA_FILTER])
class IgnoresMetadataFilter(_Without):
    """Does not declare METADATA_FILTER, and leaves the filter out where it is given."""

    missing = Capability.METADATA_FILTER

    def poll(self, after_position: int, **arguments: Any) -> Any:
        return self.store.poll(after_position, **_plain(arguments))

    def read_all(self, **arguments: Any) -> Any:
        return self.store.read_all(**_plain(arguments))


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    if "where" in arguments and hasattr(arguments["where"], "metadata"):
        arguments["where"] = replace(arguments["where"], metadata={})
    return arguments


@breaks("CAP-01", needs=TRANSACTIONS)
class NoneInPlaceOfRefusal(_Without):
    """Does not declare TRANSACTIONS, and gives None for one."""

    missing = Capability.TRANSACTIONS

    def transaction(self) -> Any:
        return None


@breaks("CAP-01", needs=TRANSACTIONS)
class AttributeErrorForRefusal(_Without):
    """Does not declare TRANSACTIONS, and fails with AttributeError where one is asked for."""

    missing = Capability.TRANSACTIONS

    def transaction(self) -> Any:
        raise AttributeError


@breaks("LIFE-01")
class ReadsAfterClose(Wrapped):
    """Still reads once it is closed."""

    def close(self) -> None:
        pass


@breaks("LIFE-01")
class ClosedIsAUsageError(Wrapped):
    """Raises another error than StoreClosedError once it is closed."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        try:
            return self.store.append(stream_id, events, expected_version=expected_version)
        except StoreClosedError as error:
            raise UsageError(str(error)) from None


@breaks("LIFE-01")
class ClosedReadsAsEmpty(Wrapped):
    """Reads as empty once it is closed."""

    def read_stream(self, stream_id: str, **arguments: Any) -> Any:
        try:
            return self.store.read_stream(stream_id, **arguments)
        except StoreClosedError:
            return iter(())


@breaks("LIFE-02")
class InitializesOnce(Wrapped):
    """Fails where it is initialized a second time."""

    def initialize(self) -> None:
        self.store.initialize()
        with self.shared.lock:
            if self.shared.facts.setdefault("made", False):
                msg = 'relation "events" already exists'
                raise StorageError(msg)
            self.shared.facts["made"] = True


@breaks("LIFE-02")
class InitializesInARace(Wrapped):
    """Looks whether the tables are there, then creates them: two processes at once fail."""

    def initialize(self) -> None:
        if not self.shared.facts.get("made"):
            time.sleep(0.002)
            with self.shared.lock:
                if self.shared.facts.get("made"):
                    msg = 'relation "events" already exists'
                    raise StorageError(msg)
                self.shared.facts["made"] = True
        self.store.initialize()


@breaks("LIFE-01")
class ClosesOnce(Wrapped):
    """Fails where it is closed a second time."""

    def close(self) -> None:
        if self.__dict__.get("ended"):
            msg = "the pool is already closed"
            raise StorageError(msg)
        self.__dict__["ended"] = True
        super().close()


@breaks("LIFE-03")
class ClosesTheOthers(Wrapped):
    """Closing one handle closes the others on the same data."""

    def __init__(self, store: Any, shared: Any, *, inside: bool = False) -> None:
        super().__init__(store, shared, inside=inside)
        if not inside:
            shared.facts.setdefault("handles", []).append(store)

    def close(self) -> None:
        super().close()
        for store in self.shared.facts["handles"]:
            store.close()
