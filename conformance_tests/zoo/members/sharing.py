"""Stores that keep the state of a call, or of a transaction, on the handle: its callers meet there."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import Capability, StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Generator


@breaks("APPEND-10", "READ-06", "APPEND-06")
class KeepsTheCallOnItself(Wrapped):
    """Keeps what it is to store on itself until it is written: of two threads one stores the other's events."""

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        self.__dict__["_events"] = events = list(events)
        time.sleep(0.0002)  # the wait for a connection
        events = self.__dict__["_events"]
        return self.store.append(stream_id, events, expected_version=expected_version, **more)


@breaks("TX-01", needs=[Capability.TRANSACTIONS])
class JoinsTheOpenTransaction(Wrapped):
    """Has one connection: a second transaction of the same store joins the first, and ends with it."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Generator[Any]:
        if (joined := self.__dict__.get("_open")) is not None:
            yield joined
            return
        with transaction as opened:
            self.__dict__["_open"] = inner = type(self)(opened, self.shared, inside=True)
            try:
                yield inner
            finally:
                self.__dict__["_open"] = None


@breaks("TX-01", needs=[Capability.TRANSACTIONS])
class LateCallsStoreByThemselves(Wrapped):
    """Its transaction ends while another thread's call is under way, which then comes to a connection without one."""

    @contextmanager
    def _transaction(self, transaction: Any) -> Generator[Any]:
        with transaction as opened:
            inner = type(self)(opened, self.shared, inside=True)
            inner.__dict__["_connection"] = self.store
            try:
                yield inner
            finally:
                inner.__dict__["_ended"] = True

    def append(self, stream_id: str, events: Any, *, expected_version: Any, **more: Any) -> Any:
        is_under_way = self.inside and not self.__dict__.get("_ended")
        events = list(events)
        time.sleep(0.0002)  # for its turn
        try:
            return self.store.append(stream_id, events, expected_version=expected_version, **more)
        except StoreClosedError:
            if not is_under_way:
                raise
            store = self.__dict__["_connection"]
            return store.append(stream_id, events, expected_version=expected_version, **more)
