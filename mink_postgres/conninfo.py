"""A connection string is read before a driver sees it: what a driver cannot read it quotes, password and all."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mink_core.errors import UsageError
from mink_postgres.reaching import RANGES

_MAX_PORT = 65535
_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
"""What is looked at only as a connection is made, where it would be taken for a failure that passes."""


def check_conninfo(conninfo: str) -> None:
    """Refuse what no driver can read, without a word of it.

    Raises:
        UsageError: It cannot be read, or not as it was meant.
    """
    problem = _problem(conninfo)
    # Outside of any except block: the driver's error, which quotes the URL, is not kept as a context.
    if problem:
        msg = (
            f"the PostgreSQL URL cannot be used: {problem}; nothing was opened, and the URL is not shown, since it may "
            "hold a password. Write special characters in a user, a password or an option as %XX"
        )
        raise UsageError(msg)


def _problem(conninfo: str) -> str | None:
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        return (
            "it is not of the form postgresql://user:password@host:port/database?option=value, or an option is unknown"
        )
    for port in str(parts.get("port", "")).split(","):
        if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= _MAX_PORT):
            return "its port is no number from 1 to 65535"
    if problem := _problem_of_an_option(parts):
        return problem
    hosts, ports = (len(str(parts.get(name) or "").split(",")) for name in ("host", "port"))
    hosts = max(hosts, len(str(parts.get("hostaddr") or "").split(",")))
    if ports not in (1, hosts):
        return f"it names {hosts} hosts but {ports} ports: give one port for all of them, or one for each"
    # A "/" in a password ends the host: what follows would be taken for the database.
    # (A host that begins with @ is a socket without a file.)
    if "@" in str(parts.get("host", ""))[1:] or "@" in str(parts.get("dbname", "")):
        return "there is an @ in its host or database"
    return None


def _problem_of_an_option(parts: dict[str, Any]) -> str | None:
    for name, (least, most) in RANGES.items():
        if name in parts and not _is_between(str(parts[name]), least, most):
            return f"its {name} is no number from {least} to {most}"
    for name, choices in _CHOICES.items():
        if parts.get(name, choices[0]) not in choices:
            return f"its {name} is none of {', '.join(choices)}"
    return None


def _is_between(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and least <= int(text) <= most
