"""What becomes of a store's connections in a process that was forked from the one that opened it.

The child has the same sockets. What it writes there, the server takes for the parent's: libpq's farewell ends the parent's session, and
asyncio takes a socket out of an epoll that both have. So in the child another socket, which nobody is at the other end of, is put in the
place of each. The drivers may then do as they like.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg

from mink_core.errors import UsageError
from mink_core.forks import INHERITED

if TYPE_CHECKING:
    from collections.abc import Iterable


def refuse(*_arguments: Any, **_options: Any) -> NoReturn:
    """In the place of what would use the parent's connections.

    Raises:
        UsageError: Always.
    """
    raise UsageError(INHERITED)


async def refuse_async(*_arguments: Any, **_options: Any) -> NoReturn:
    """`refuse`, awaited.

    Raises:
        UsageError: Always.
    """
    raise UsageError(INHERITED)


def keep(*_arguments: Any, **_options: Any) -> None:
    """In the place of giving a connection back to its pool."""


async def keep_async(*_arguments: Any, **_options: Any) -> None:
    """`keep`, awaited."""


def cut_off(connections: Iterable[Any]) -> None:
    """Put a dead socket in the place of each connection's, in this process alone."""
    here, there = socket.socketpair()
    there.close()
    with here:
        for connection in list(connections):
            number = _descriptor(connection)
            if number >= 0:
                os.dup2(here.fileno(), number, inheritable=False)


def _descriptor(connection: Any) -> int:
    if isinstance(connection, psycopg.BaseConnection):
        try:
            return connection.pgconn.socket
        except psycopg.OperationalError:  # it is closed
            return -1
    transport = None if connection.is_closed() else getattr(connection, "_transport", None)
    found = None if transport is None else transport.get_extra_info("socket")
    return -1 if found is None else int(found.fileno())


def quiet(pool: Any) -> None:
    """Keep psycopg's pool from waiting for its threads, which this process has not, when it is collected."""
    vars(pool)["_closed"] = True
