"""Breaks the connection of a store of its own, by a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from mink_jetstream.async_store import AsyncJetStreamEventStore
from mink_jetstream.store import JetStreamEventStore
from mink_jetstream.subjects import Subjects
from mink_jetstream.testing.proxy import Proxy

if TYPE_CHECKING:
    from mink_core.testing import Fault
    from mink_jetstream.options import Options


class JetStreamFaultInjector:
    """See `mink_core.testing.FaultInjector`."""

    connections = 1
    patience = 1.5

    def __init__(self, options: Options, kind: type[AsyncJetStreamEventStore | JetStreamEventStore]) -> None:
        """Start the proxy; `kind` is the class of the store under test."""
        server = urlsplit(options.servers[0])
        self._proxy = Proxy(server.hostname or "localhost", server.port or 4222)
        self._options = msgspec.structs.replace(
            options, servers=(f"nats://127.0.0.1:{self._proxy.port}",), timeout=self.patience
        )
        self._kind = kind

    def open(self) -> Any:
        """See `FaultInjector.open`."""
        return self._kind(self._options)

    def arm(self, fault: Fault, stream_id: str | None) -> None:
        """See `FaultInjector.arm`; the request is the publication of an event, not a look at the stream."""
        subject = "" if stream_id is None else Subjects(self._options.store).of_stream(stream_id) + " "
        self._proxy.arm(fault, f"HPUB {subject}".encode())

    def struck(self) -> int:
        """See `FaultInjector.struck`."""
        return self._proxy.struck

    def end_sessions(self) -> int:
        """See `FaultInjector.end_sessions`: both ends see what they would see of a server that ends them."""
        return self._proxy.end_all()

    def close(self) -> None:
        """See `FaultInjector.close`."""
        self._proxy.close()


def fault_injector(store: Any) -> JetStreamFaultInjector | None:
    """See `mink_core.testing.ConformanceHooks.fault_injector`; for one server."""
    if not isinstance(store, (AsyncJetStreamEventStore, JetStreamEventStore)) or len(store.options.servers) > 1:
        return None
    return JetStreamFaultInjector(store.options, type(store))
