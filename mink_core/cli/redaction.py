"""No secret of a store's URL leaves the process, whoever wrote the message that holds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_HIDDEN = "***"
_SECRET_OPTIONS = re.compile(r"(?:^|[?&\s])(?:\w*password|\w*secret|\w*token)=([^&\s]+)", re.IGNORECASE)
_URL_OPTIONS = re.compile(r"(?:^|[?&\s])\w*_url=([^&\s]+)", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^\s'\"]*@")
_OPTION_VALUE = re.compile(r"((?:\w*password|\w*secret|\w*token|\w*_url)=)[^&\s'\"]+", re.IGNORECASE)
_SHOWABLE = re.compile(r"(?P<place>(?:[\w.\-,]|\[[0-9A-Fa-f:.]+\]|:\d+(?![\w]))*(?:/[\w.\-/]*)?)(?:\?[^@]*)?")
# A shorter piece would only blot out letters of the message; whole passwords are hidden at any length.
_SHORTEST_PIECE = 3


def without_secrets(url: str) -> str:
    """A URL to show: scheme, host and path, never a user, a password or an option.

    Where it is not plain which part is which, only the scheme.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "…"
    found = _SHOWABLE.fullmatch(rest.rpartition("@")[2]) if _options_hold_no_at(rest) else None
    return f"{scheme}://{found['place']}" if found else f"{scheme}://…"


def redact(text: str, url: str | None) -> str:
    """Blot out every secret of a URL in a text, and what looks like one of another URL.

    A driver may quote a piece of a URL that it could not parse, so pieces are blotted out too.
    """
    for secret in sorted(set(_secrets(url or "")), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _USERINFO.sub(rf"\1{_HIDDEN}@", text)
    return _OPTION_VALUE.sub(rf"\1{_HIDDEN}", text)


def _options_hold_no_at(rest: str) -> bool:
    return "@" not in rest.partition("?")[2]


def _secrets(url: str) -> Iterator[str]:
    rest = url.partition("://")[2]
    user, at, _ = rest.rpartition("@")
    given = [user.partition(":")[2]] if at else []
    given += _SECRET_OPTIONS.findall(url)
    for secret in {spelling for written in given if written for spelling in (written, unquote(written))}:
        yield secret
        yield from (piece for piece in re.split(r"[/?#@:]", secret) if len(piece) >= _SHORTEST_PIECE)
    for inner in _URL_OPTIONS.findall(url):
        yield inner
        yield from _secrets(unquote(inner))
