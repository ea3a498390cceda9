"""Options of a PostgreSQL store, from keywords and from a URL's query."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from mink_core.errors import UsageError
from mink_core.limits import check_seconds
from mink_core.transforms import checked_transforms
from mink_postgres.conninfo import check_conninfo
from mink_postgres.context import Context, SettledMark
from mink_postgres.statements import Statements
from mink_postgres.url_query import pairs_of, query_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mink_core.transforms import EventTransform

DEFAULT_SCHEMA = "mink"
_MOST_PARTITIONS = 1024
_JSON_TYPES = ("jsonb", "json")
_MOST_CONNECTIONS = 262_143
_LONGEST_LOCK = 2_147_483  # seconds
"""What the server can be told, of either."""


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """What can be set, as keywords of the stores or (but for `transforms`) in a URL's query."""

    schema: str = DEFAULT_SCHEMA
    """The schema that holds the tables: letters, digits and `_`."""
    min_size: int = 5
    """Connections the pool keeps open."""
    max_size: int = 25
    """Connections the pool opens at most."""
    pool_timeout: float = 30.0
    """Seconds to wait for a connection of the pool."""
    lock_timeout: float = 10.0
    """Seconds to wait for a stream that another transaction has locked; then `TransientStorageError` (TX-04)."""
    unique_event_ids: bool = False
    """Keep event ids unique in the whole store, by an index (`Capability.UNIQUE_EVENT_IDS`)."""
    wakeups: bool = False
    """Tell waiting subscribers of appends at once, and be told: two more connections, on which NOTIFY and LISTEN work."""
    transaction_pooler: bool = False
    """Between the store and the server is a pooler that gives each transaction a session of its own choice (PgBouncer
    with `pool_mode = transaction`): nothing is prepared, nothing is kept in a session."""
    direct_url: str = field(default="", repr=False)
    """Where the server itself is, past a pooler: for what needs a session of its own, the wake-ups."""
    group_commits: bool = True
    """Let appends that wait at the same moment share a transaction, each with an answer of its own."""
    hash_partitions: int = 0
    """Partitions by stream that `initialize()` makes of a new store's events, 2 to 1,024; 0 keeps one table."""
    json_type: str = "jsonb"
    """What `initialize()` makes the columns `data` and `metadata` of a new store's events: `jsonb`, which SQL searches
    fastest, or `json`, which is appended and read fastest and kept as it was written."""
    privacy: bool = False
    """Allow `store.privacy`: deleting, closing, redacting and purging streams (`Capability.PRIVACY`)."""
    transforms: Sequence[EventTransform] = ()
    """What every event goes through on its way to and from the store."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is sent."""
        for name, kind in _TEXTUAL.items():
            value = getattr(self, name)
            if not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
                msg = f"the option {name} must be of type {kind}, not {type(value).__name__}; nothing was opened"
                raise UsageError(msg)
        if not 0 <= self.min_size <= self.max_size or not 1 <= self.max_size <= _MOST_CONNECTIONS:
            msg = (
                f"pool sizes must be 0 <= min_size <= max_size, and max_size 1 to {_MOST_CONNECTIONS:,}, not "
                f"min_size={self.min_size} and max_size={self.max_size} (5 and 25 unless given); nothing was opened"
            )
            raise UsageError(msg)
        if self.hash_partitions:
            check_hash_partitions(self.hash_partitions)
            if self.unique_event_ids:
                msg = "no index over partitions by stream can keep event ids unique: give hash_partitions or unique_event_ids"
                raise UsageError(msg)
        check_json_type(self.json_type)
        object.__setattr__(self, "transforms", checked_transforms(self.transforms))
        check_seconds(self.pool_timeout, "pool_timeout")
        if check_seconds(self.lock_timeout, "lock_timeout") > _LONGEST_LOCK:
            msg = f"lock_timeout must be at most {_LONGEST_LOCK:,} seconds, not {self.lock_timeout!r:.60}"
            raise UsageError(msg)
        if self.direct_url:
            check_conninfo(self.direct_url)
        elif self.wakeups and self.transaction_pooler:
            msg = (
                "wakeups need LISTEN, and that a session: past a transaction pooler, name the server itself in "
                "direct_url; or leave wakeups off, as polling is enough"
            )
            raise UsageError(msg)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Options from keywords.

        Raises:
            UsageError: One is unknown, or its value cannot work.
        """
        known = [item.name for item in fields(cls)]
        if unknown := given.keys() - set(known):
            msg = f"unknown option {min(unknown)!r}; known are {', '.join(known)}"
            raise UsageError(msg)
        return cls(**given)

    def as_keywords(self) -> dict[str, Any]:
        """The options as keywords, the way they came."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def context(self) -> Context:
        """What the operations need of it."""
        return Context(
            Statements(self.schema),
            tuple(self.transforms),
            self.unique_event_ids,
            SettledMark(lasts=not self.transaction_pooler),
            self.hash_partitions,
            self.json_type,
        )

    @property
    def lock_timeout_ms(self) -> str:
        """The lock time-out as PostgreSQL takes it."""
        return f"{max(1, round(self.lock_timeout * 1000))}ms"


_TEXTUAL = {item.name: str(item.type) for item in fields(PostgresOptions) if item.name != "transforms"}
_KINDS: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def split_url(url: str, given: dict[str, Any]) -> tuple[str, PostgresOptions]:
    """Take our options out of a URL's query; keywords win.

    Returns:
        The URL with the driver's part of the query only, and the options.

    Raises:
        UsageError: An option has a value that it cannot have. The message holds no part of the URL but that value.
    """
    if not url.isprintable():
        msg = "a store's URL holds no control characters; it is not shown, since it may hold a password"
        raise UsageError(msg)
    base, mark, query = url.partition("?")
    pairs = pairs_of(query)
    ours = {key: _parse(key, value) for key, value in pairs if key in _TEXTUAL}
    rest = [(key, value) for key, value in pairs if key not in _TEXTUAL]
    options = PostgresOptions.of({**ours, **given})
    return base + (mark + query_of(rest) if rest else ""), options


def _parse(name: str, value: str) -> Any:
    kind = _TEXTUAL[name]
    try:
        if kind == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        if kind == "int":
            return int(value)
        return float(value) if kind == "float" else value
    except (KeyError, ValueError):
        msg = f"the URL's option {name} must be of type {kind}, not {value!r:.40}"
        raise UsageError(msg) from None


def check_hash_partitions(partitions: int) -> None:
    """Refuse a number of partitions that cannot be.

    Raises:
        UsageError: It is not 2 to 1,024.
    """
    if type(partitions) is not int or not 2 <= partitions <= _MOST_PARTITIONS:  # noqa: PLR2004 -- one would be no partitions
        msg = f"events are kept in 2 to {_MOST_PARTITIONS:,} partitions, not {partitions!r:.40}; nothing was changed"
        raise UsageError(msg)


def check_json_type(json_type: str) -> None:
    """Refuse a type that payloads cannot be of.

    Raises:
        UsageError: It is not `jsonb` or `json`.
    """
    if json_type not in _JSON_TYPES:
        msg = f"json_type must be 'jsonb' or 'json', not {json_type!r:.40}; nothing was changed"
        raise UsageError(msg)
