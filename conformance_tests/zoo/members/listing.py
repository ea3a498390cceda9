"""Streams that are listed, or told of, other than they are."""

from __future__ import annotations

import itertools
from typing import Any

from msgspec.structs import replace

from conformance_tests.zoo.member import breaks
from conformance_tests.zoo.wrapped import Wrapped
from mink_core import (
    StreamNotFoundError,
)

_PAGE = 500


@breaks("READ-01", "READ-06")
class InfoFromTheLastEvent(Wrapped):
    """`stream_info` gives the newest event's time as the stream's creation."""

    def stream_info(self, stream_id: str) -> Any:
        info = self.store.stream_info(stream_id)
        return replace(info, created_at=info.updated_at)


@breaks("READ-06")
class InfoNeverUpdated(Wrapped):
    """`stream_info` gives the creation as the time of the newest event."""

    def stream_info(self, stream_id: str) -> Any:
        info = self.store.stream_info(stream_id)
        return replace(info, updated_at=info.created_at)


@breaks("READ-09")
class ListsWithoutVersion(Wrapped):
    """`streams` gives version 1 for every stream."""

    def streams(self, **arguments: Any) -> Any:
        return (replace(info, version=1) for info in self.store.streams(**arguments))


@breaks("READ-01", "READ-05")
class CategoryIsTheId(Wrapped):
    """`stream_info` gives the whole id as the category."""

    def stream_info(self, stream_id: str) -> Any:
        return replace(self.store.stream_info(stream_id), category=stream_id)


@breaks("READ-09")
class ListsOnePage(Wrapped):
    """`streams` ends after its first page."""

    def streams(self, **arguments: Any) -> Any:
        return itertools.islice(self.store.streams(**arguments), _PAGE)


@breaks("READ-02", "READ-09")
class NamesInclusive(Wrapped):
    """`streams` gives the stream `after` itself."""

    def streams(self, **arguments: Any) -> Any:
        infos = self.store.streams(**arguments)
        after, limit, category = (arguments.get(name) for name in ("after", "limit", "category"))
        if after is None or limit == 0:
            return infos
        try:
            info = self.store.stream_info(after)
        except StreamNotFoundError:
            return infos
        found = [info, *infos] if category in (None, info.category) else list(infos)
        return iter(found[:limit])


@breaks("READ-09")
class ListsByLocale(Wrapped):
    """Lists streams as a dictionary does: case and punctuation aside."""

    def streams(self, **arguments: Any) -> Any:
        self.store.streams(**arguments)
        after, limit = arguments.pop("after", None), arguments.pop("limit", None)
        infos = sorted(self.store.streams(**arguments), key=lambda info: (info.stream_id.casefold(), info.stream_id))
        if after is not None:
            infos = [info for info in infos if (info.stream_id.casefold(), info.stream_id) > (after.casefold(), after)]
        return iter(infos[:limit])


@breaks("READ-09")
class ListsByUtf16(Wrapped):
    """Lists streams by UTF-16 units, as some languages compare text."""

    def streams(self, **arguments: Any) -> Any:
        self.store.streams(**arguments)
        after, limit = arguments.pop("after", None), arguments.pop("limit", None)
        infos = sorted(self.store.streams(**arguments), key=lambda info: info.stream_id.encode("utf-16-be"))
        if after is not None:
            infos = [info for info in infos if info.stream_id.encode("utf-16-be") > after.encode("utf-16-be")]
        return iter(infos[:limit])


@breaks("READ-05", "READ-09")
class ListsByPrefix(Wrapped):
    """Lists the streams of a category by its letters, without the dash."""

    def streams(self, **arguments: Any) -> Any:
        self.store.streams(**arguments)
        category, limit = arguments.pop("category", None), arguments.pop("limit", None)
        infos = self.store.streams(**arguments)
        return iter([info for info in infos if category is None or info.stream_id.startswith(category)][:limit])


@breaks("READ-04")
class ListsItWhole(Wrapped):
    """`streams` makes the whole list before it gives the first entry."""

    def streams(self, **arguments: Any) -> Any:
        return iter(list(self.store.streams(**arguments)))
