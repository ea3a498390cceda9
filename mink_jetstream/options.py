"""What a URL and keywords say about a store."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from mink_core.errors import UsageError
from mink_core.limits import check_between, check_seconds
from mink_core.transforms import EventTransform, checked_transforms

SCHEME = "nats://"
EMBEDDED = "nats+embedded://"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_MAX_REPLICAS = 5
_SHAPE = "nats://[user:password@]host[:port][,host2[:port],…]/store"
_EMBEDDED_STORE = "mink"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known before the first connection."""

    servers: tuple[str, ...]
    """`nats://host:port` each, without credentials; none for an embedded server."""
    store: str
    folder: str | None = None
    """Where an embedded server keeps its data; None for a temporary one."""
    user: str | None = None
    password: str | None = None
    creds: str | None = None
    """Path of a NATS credentials file."""
    tls: bool = False
    replicas: int | None = None
    """Copies of the store when `initialize` makes it; None for three where three servers are known, else one."""
    timeout: float = 15.0
    """Seconds that a call waits in all for the servers. They take up to nine to choose another leader."""
    transforms: tuple[EventTransform, ...] = ()

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without the password."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name != "password"]

    def __repr__(self) -> str:
        """Without the password."""
        return f"Options({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def options_of(url: str, given: dict[str, Any]) -> Options:
    """The options that a URL and keywords make; keywords win.

    Raises:
        UsageError: One is wrong or unknown.
    """
    if isinstance(url, str) and url.startswith(EMBEDDED):
        return _embedded(url, given)
    if not isinstance(url, str) or not url.startswith(SCHEME):
        msg = f"a JetStream store's URL is {_SHAPE}"
        raise UsageError(msg)
    parts = urlsplit(url)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    user, colon, password = userinfo.partition(":")
    name = parts.path.removeprefix("/")
    if not hosts or not _NAME.fullmatch(name):
        msg = f"a JetStream store's URL is {_SHAPE}, the store's name 1 to 100 of A-Z, a-z, 0-9, '_' and '-', not {name!r:.60}"
        raise UsageError(msg)
    return Options(
        servers=tuple(f"nats://{host}" for host in hosts.split(",")),
        store=name,
        user=unquote(user) if user else None,
        password=unquote(password) if colon else None,
        **_chosen(parts.query, given),
    )


def _embedded(url: str, given: dict[str, Any]) -> Options:
    rest, _, query = url.removeprefix(EMBEDDED).partition("?")
    # A folder is made where there is none: only where the URL plainly says.
    if rest and (not rest.startswith(("/", "./")) or ".." in unquote(rest).split("/")):
        msg = (
            "an embedded server's URL is nats+embedded:// (temporary), or nats+embedded://./folder or "
            "nats+embedded:///path/to/folder (kept), without '..'"
        )
        raise UsageError(msg)
    return Options(servers=(), store=_EMBEDDED_STORE, folder=unquote(rest) or None, **_chosen(query, given))


def _chosen(query: str, given: dict[str, Any]) -> dict[str, Any]:
    chosen = _query(query) | given
    if unknown := chosen.keys() - _CHECKS.keys():
        msg = f"the JetStream adapter has no option {min(unknown)!r}; it has: {', '.join(sorted(_CHECKS))}"
        raise UsageError(msg)
    return {key: _CHECKS[key](value) for key, value in chosen.items()}


def _query(query: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        msg = f"the query of a JetStream store's URL is malformed: {query!r:.60}"
        raise UsageError(msg) from None
    if len({key for key, _ in pairs}) < len(pairs):
        msg = "the URL says an option twice"
        raise UsageError(msg)
    return {key: _READERS.get(key, str)(value) for key, value in pairs}


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value  # refused by its check, which says what is wanted


def _whole(value: str) -> int | str:
    return int(value) if value.isdecimal() and value.isascii() else value


def _bool(value: str) -> bool | str:
    return {"true": True, "false": False}.get(value, value)


_READERS: dict[str, Any] = {
    "replicas": _whole,
    "timeout": _number,
    "tls": _bool,
}


def _replicas(value: object) -> int | None:
    return None if value is None else check_between(value, "replicas", 1, _MAX_REPLICAS)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        msg = f"tls must be a bool, not {value!r:.60}"
        raise UsageError(msg)
    return value


def _path(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        msg = f"creds is the path of a NATS credentials file, not {value!r:.60}"
        raise UsageError(msg)
    return value


def _seconds(value: object) -> float:
    return check_seconds(value, "timeout")


_CHECKS: dict[str, Any] = {
    "creds": _path,
    "replicas": _replicas,
    "timeout": _seconds,
    "tls": _flag,
    "transforms": checked_transforms,
}
