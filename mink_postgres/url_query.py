"""The query of a URL as libpq reads it: a plus is a plus, and only %20 is a space."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable


def pairs_of(query: str) -> list[tuple[str, str]]:
    """The options in the order in which they stand, decoded."""
    return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Options as a query that every driver reads alike."""
    return urlencode(list(pairs), quote_via=quote)
