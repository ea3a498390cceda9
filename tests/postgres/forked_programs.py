"""Programs that fork beside a PostgreSQL store."""

from __future__ import annotations

from tests import forking


def run(url: str, *parts: str, says: str = "") -> None:
    """See `forking.run`."""
    forking.run("url = sys.argv[1]", *parts, argument=url, says=says)


def at(url: str, schema: str, more: str = "") -> str:
    return f"{url}{'&' if '?' in url else '?'}schema={schema}{more}"
