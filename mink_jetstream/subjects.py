"""Stream ids, categories and keys as NATS subjects: injective, and a category is one wildcard.

`order-42` in the store `shop` is `mink.shop.order.42`. The characters that a subject gives a meaning
to are written as `%` and two hex digits; everything else stands as it is. What is left over are
stream ids without a `-`, whose last token is `%`, and those with nothing after it, `%%`: no escape
looks like either. The longest stream id takes 2,000 bytes, half of what a server takes in a line.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

_SPECIAL = re.compile(r"[.*> %]")
_WHOLE = "%"
"""The last token of a stream id that is its category: it has no `-`."""
_EMPTY = "%%"
"""The last token of a stream id that ends with its first `-`."""


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"%{ord(found.group()):02X}", text)


class Subjects:
    """The subjects of one store."""

    def __init__(self, store: str) -> None:
        """Take the store's name, which is a token itself."""
        self.root = f"mink.{store}"
        self.every = f"{self.root}.>"
        """The subject filter of all events."""
        self._skip = len(self.root) + 1
        self.of_stream = lru_cache(maxsize=4096)(self._of_stream)

    def _of_stream(self, stream_id: str) -> str:
        """The subject of a stream."""
        category, dash, rest = stream_id.partition("-")
        last = (_escape(rest) or _EMPTY) if dash else _WHOLE
        return f"{self.root}.{_escape(category)}.{last}"

    def of_category(self, category: str) -> str:
        """The subject filter of a category."""
        return f"{self.root}.{_escape(category)}.*"

    def stream_id(self, subject: str) -> str:
        """The stream of a subject of this store."""
        category, _, last = subject[self._skip :].partition(".")
        if last == _WHOLE:
            return unquote(category)
        return f"{unquote(category)}-{'' if last == _EMPTY else unquote(last)}"


class Keys:
    """The subjects of one store's bucket: `$KV.mink_shop.checkpoint.…`."""

    def __init__(self, store: str) -> None:
        """Take the store's name."""
        self.bucket = f"mink_{store}"
        self._root = f"$KV.{self.bucket}"

    def of(self, *parts: str) -> str:
        """The key of a kind and names."""
        return ".".join((self._root, *(_escape(part) or _EMPTY for part in parts)))

    def below(self, *parts: str) -> str:
        """The filter of all keys that begin so."""
        return f"{self.of(*parts)}.>"

    def parts(self, key: str) -> list[str]:
        """What a key was made of."""
        return ["" if part == _EMPTY else unquote(part) for part in key[len(self._root) + 1 :].split(".")]
