"""Where a store keeps its data, so that the hooks can go there beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from mink_postgres.url_query import query_of

if TYPE_CHECKING:
    from mink_postgres.options import PostgresOptions

Door = Literal["psycopg", "psycopg async", "asyncpg"]


@dataclass(frozen=True)
class Place:
    """A server and a schema."""

    conninfo: str = field(repr=False)
    """What libpq connects with."""
    options: PostgresOptions
    door: Door

    @property
    def session_url(self) -> str:
        """Where a session of one's own is to be had: past a pooler, if there is one."""
        return self.options.direct_url or self.conninfo

    @property
    def schema(self) -> str:
        """The schema under test."""
        return self.options.schema

    @property
    def address(self) -> tuple[str, int]:
        """The server's host, or its socket folder, and its port."""
        parts = conninfo_to_dict(self.conninfo)
        return str(parts.get("host") or "localhost"), int(parts.get("port") or 5432)

    def through(self, host: str, port: int, name: str) -> str:
        """A URL that leads to the same database by way of another address, without encryption."""
        parts = conninfo_to_dict(self.conninfo)
        user = ":".join(quote(str(parts[key]), safe="") for key in ("user", "password") if parts.get(key))
        query = query_of({"sslmode": "disable", "application_name": name}.items())
        return f"postgresql://{user}@{host}:{port}/{quote(str(parts.get('dbname') or ''), safe='')}?{query}"


def place_of(store: Any) -> Place | None:
    """Where a PostgreSQL store is; None where it lives on the caller's own connections."""
    backend = store._backend  # noqa: SLF001 -- the hooks are of the same package
    source = getattr(backend, "_source", None)
    if source is None:
        return None
    name = type(backend).__name__
    door: Door = "asyncpg" if "Asyncpg" in name else "psycopg async" if "Async" in name else "psycopg"
    return Place(source.open(), store._options, door)  # noqa: SLF001 -- as above
