"""A NATS server for tests, from wherever one can be had."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mink_jetstream.server.embedded import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Generator


class HasUrl(Protocol):
    """A server that clients can be pointed at."""

    @property
    def url(self) -> str:
        """`nats://…`, without a store."""
        ...


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that somebody else runs."""

    url: str = field(repr=False)  # it may hold a password


@contextmanager
def nats_for_tests() -> Generator[HasUrl]:
    """A server: that of `MINK_NATS_URL`, else an embedded one.

    Raises:
        ServerUnavailableError: None could be had; lists what was tried.
    """
    given = os.environ.get("MINK_NATS_URL")
    if given:
        yield RunningServer(given.rstrip("/"))
        return
    with EmbeddedServer.start() as server:
        yield server
