"""Breaks the connections of a store of its own: by a proxy, or by ending the server's sessions."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg

from mink_postgres.async_store import AsyncPostgresEventStore
from mink_postgres.store import PostgresEventStore
from mink_postgres.testing.place import place_of
from mink_postgres.testing.proxy import Proxy

if TYPE_CHECKING:
    from mink_core.testing import Fault
    from mink_postgres.testing.place import Place

_COMMIT = b"COMMIT"
_POOL_LOG = logging.getLogger("psycopg.pool")
_numbers = count(1)


class PostgresFaultInjector:
    """See `mink_core.testing.FaultInjector`."""

    connections = 2
    patience = 1.5

    def __init__(self, place: Place, kind: type[Any]) -> None:
        """Start the proxy; `kind` is the class of the store under test."""
        self._place = place
        self._kind = kind
        self._name = f"mink-faults-{next(_numbers)}"
        self._proxy = Proxy(*place.address)
        # The pool warns of every connection it has lost, and here they are lost on purpose.
        self._level = _POOL_LOG.level
        _POOL_LOG.setLevel(logging.ERROR)

    def open(self) -> Any:
        """See `FaultInjector.open`."""
        url = self._place.through("127.0.0.1", self._proxy.port, self._name)
        options = self._place.options.as_keywords() | {
            "min_size": 0,
            "max_size": self.connections,
            "pool_timeout": self.patience,
            "lock_timeout": self.patience,
        }
        if issubclass(self._kind, AsyncPostgresEventStore):
            return self._kind(url, driver="asyncpg" if self._place.door == "asyncpg" else "psycopg", **options)
        return self._kind(url, **options)

    def arm(self, fault: Fault, stream_id: str | None) -> None:
        """See `FaultInjector.arm`."""
        self._proxy.arm(fault, _COMMIT if stream_id is None else stream_id.encode())

    def struck(self) -> int:
        """See `FaultInjector.struck`."""
        return self._proxy.struck

    def end_sessions(self) -> int:
        """See `FaultInjector.end_sessions`. A role may end its own sessions."""
        with psycopg.connect(self._place.session_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                (self._name,),
            )
            return len(ended.fetchall())

    def close(self) -> None:
        """See `FaultInjector.close`."""
        self._proxy.close()
        _POOL_LOG.setLevel(self._level)


def fault_injector(store: Any) -> PostgresFaultInjector | None:
    """See `mink_core.testing.ConformanceHooks.fault_injector`."""
    place = place_of(store)
    if place is None or not isinstance(store, (PostgresEventStore, AsyncPostgresEventStore)):
        return None
    return PostgresFaultInjector(place, type(store))
