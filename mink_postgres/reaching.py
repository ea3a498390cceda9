"""How a connection is opened: which hosts in which order, how long each may take, and when a dead one is noticed.

psycopg gets this from libpq. asyncpg knows several hosts too, but one time-out for all of them, in which a host that
does not answer uses up the others' turns; and it takes libpq's time-outs for settings of the server.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.conninfo import conninfo_to_dict

from mink_postgres.url_query import pairs_of, query_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUTS: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's options, as they are where the URL says nothing: seconds a host may take to let in; and what ends a
connection whose other side has gone without a word, after 25 s. (`tcp_user_timeout` is in milliseconds.)"""
_MOST = 2**31 - 1
RANGES: Mapping[str, tuple[int, int]] = {
    "connect_timeout": (-_MOST, _MOST),  # 0 and below: no end
    "keepalives_idle": (1, 32_767),
    "keepalives_interval": (1, 32_767),
    "keepalives_count": (1, 127),
    "tcp_user_timeout": (0, _MOST),  # 0: the system's own
}
"""What each can be: beyond it the system refuses the connection, again and again."""
_BY_ENVIRONMENT = "PGCONNECT_TIMEOUT"
_ENCODING = "client_encoding"
_LIBPQ_ONLY = {*TIMEOUTS, "keepalives", _ENCODING}
_SOCKET_OPTIONS = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}


def libpq_options(conninfo: str) -> dict[str, Any]:
    """What to give to libpq beside a connection string: the time-outs that it does not say itself, and UTF-8.

    Any name and any payload can be sent in UTF-8, as the database has to be; asyncpg knows nothing else.
    """
    given = conninfo_to_dict(conninfo)
    unsaid = {name: value for name, value in TIMEOUTS.items() if name not in given}
    if _BY_ENVIRONMENT in os.environ:
        unsaid.pop("connect_timeout", None)
    return unsaid | {_ENCODING: "UTF8"}


def _by_environment() -> int:
    said = os.environ.get(_BY_ENVIRONMENT, "")
    return int(said) if said.isdecimal() else TIMEOUTS["connect_timeout"]


class Reach(NamedTuple):
    """What asyncpg needs to know of a connection string."""

    url: str
    """The URL, without what only libpq understands."""
    hosts: tuple[tuple[str, int] | None, ...]
    """Where to try, in this order; None where the URL leaves it to the driver."""
    timeout: float | None
    """Seconds for each host; None for no end."""
    keepalives: Mapping[str, int]
    """Options of the socket, by their names in `socket`."""

    def keep_alive(self, connection: Any) -> None:
        """Let the connection end by itself when the other side has gone."""
        transport = getattr(connection, "_transport", None)
        made = None if transport is None else transport.get_extra_info("socket")
        if made is None or made.family not in (socket.AF_INET, socket.AF_INET6) or not self.keepalives:
            return
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in self.keepalives.items():
            if hasattr(socket, name):  # not on every system
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def reach_of(conninfo: str) -> Reach:
    """Take a connection string apart for asyncpg."""
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    said = {name: int(given.get(name, default)) for name, default in TIMEOUTS.items()}
    wanted = said["connect_timeout"] if "connect_timeout" in given else _by_environment()
    base, mark, query = conninfo.partition("?")
    rest = [(name, value) for name, value in pairs_of(query) if name not in _LIBPQ_ONLY]
    hosts = given["host"].split(",") if given.get("host") else []
    ports = [int(port or 5432) for port in given.get("port", "5432").split(",")]
    if len(ports) == 1:
        ports *= len(hosts)
    return Reach(
        base.replace("#", "%23") + (mark + query_of(rest) if rest else ""),  # it would be a fragment
        # An empty name in the list is libpq's own default, which asyncpg does not know in a list.
        tuple(zip((host or "localhost" for host in hosts), ports, strict=False)) or (None,),
        float(max(wanted, 2)) if wanted > 0 else None,
        {} if given.get("keepalives") == "0" else {_SOCKET_OPTIONS[name]: said[name] for name in _SOCKET_OPTIONS},
    )
