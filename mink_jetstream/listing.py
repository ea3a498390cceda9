"""`streams`: the subjects that JetStream knows, in code point order of the stream ids."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mink_core.errors import StreamNotFoundError
from mink_jetstream.patience import Patience, behind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mink_core.events import StreamInfo
    from mink_jetstream.place import Place

_PAGE = 100


class StreamsPages:
    """Pages of streams. The ids of all that match are held, 100,000 of which come in a request."""

    def __init__(
        self,
        place: Place,
        look: Callable[[str], Awaitable[StreamInfo]],
        category: str | None,
        after: str | None,
        limit: int | None,
    ) -> None:
        """Ask nothing yet."""
        self._place = place
        self._look = look
        self._subjects = place.subjects.every if category is None else place.subjects.of_category(category)
        self._after = after
        self._limit = limit
        self._names: list[str] | None = None

    async def page(self) -> list[StreamInfo]:
        """The next streams; none at the end."""
        if self._limit == 0:
            return []
        if self._names is None:
            await self._place.ready()
            names = [name for name in await self._all() if self._after is None or name > self._after]
            self._names = sorted(names, reverse=True)[-self._limit :] if self._limit else sorted(names, reverse=True)
        wanted = [self._names.pop() for _ in range(min(_PAGE, len(self._names)))]
        return await asyncio.gather(*[self._listed(name) for name in wanted])

    async def _listed(self, name: str) -> StreamInfo:
        """What there is of a stream that a leader has listed: who does not know it is behind."""
        patience: Patience | None = None
        while True:
            try:
                return await self._look(name)
            except StreamNotFoundError:
                patience = patience or Patience(self._place.jetstream.deadline())
                await self._place.info()  # its connection is left if it has lost its majority
                if not await patience.pause():
                    msg = f"the stream {name!r}, which is listed,"
                    raise behind(msg) from None

    async def _all(self) -> set[str]:
        found: set[str] = set()
        offset = 0
        while True:
            info = await self._place.info(subjects=self._subjects, offset=offset)
            # The server sorts them: what a new stream has moved on comes once more.
            found.update([self._place.subjects.stream_id(subject) for subject in info.state.subjects])
            offset += len(info.state.subjects)
            if not info.state.subjects or offset >= info.total:
                return found
