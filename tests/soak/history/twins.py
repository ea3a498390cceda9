"""Stores that are broken on purpose: a soak that does not reject each within a minute proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable


class _RollBackError(Exception):
    pass


class _Twin:
    def __init__(self, store: Any) -> None:
        self._store = store
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, stream_id: str, events: Any, *, expected_version: Any) -> Any:
        self._calls += 1
        return self._append(stream_id, events, expected_version)

    def _append(self, stream_id: str, events: Any, expected_version: Any) -> Any:
        return self._store.append(stream_id, events, expected_version=expected_version)


class Losing(_Twin):
    """Acknowledges one append in a hundred that it rolls back."""

    def _append(self, stream_id: str, events: Any, expected_version: Any) -> Any:
        if self._calls % 100:
            return super()._append(stream_id, events, expected_version)
        result = None
        try:
            with self._store.transaction() as tx:
                result = tx.append(stream_id, events, expected_version=expected_version)
                raise _RollBackError
        except _RollBackError:
            return result


class Leaking(_Twin):
    """Keeps 16 KiB of every append."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._kept: list[bytearray] = []

    def _append(self, stream_id: str, events: Any, expected_version: Any) -> Any:
        self._kept.append(bytearray(b"x" * 16_384))
        return super()._append(stream_id, events, expected_version)


class Hoarding(_Twin):
    """Opens a connection at every hundredth append, and keeps it."""

    url = ""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._kept: list[Any] = []

    def _append(self, stream_id: str, events: Any, expected_version: Any) -> Any:
        if self._calls % 100 == 1:
            self._kept.append(psycopg.connect(self.url))
        return super()._append(stream_id, events, expected_version)


class Skipping(_Twin):
    """Its polls leave out one event in five hundred."""

    def poll(self, after_position: int, **given: Any) -> Any:
        page = self._store.poll(after_position, **given)
        kept = [event for event in page.events if event.global_position % 500]
        return type(page)(kept, page.next_position)


TWINS: dict[str, Callable[[Any], Any]] = {
    "losing": Losing,
    "leaking": Leaking,
    "hoarding": Hoarding,
    "skipping": Skipping,
}
