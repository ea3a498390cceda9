"""Followers of the feed, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from mink_core import Store
    from mink_core.cli.demo.plan import Run

_POLL_INTERVAL = 0.02
_LOOK_AGAIN = 0.01


class Follower:
    """Subscribes above a position and keeps what it was given, in order."""

    def __init__(self, store: Store, run: Run, name: str, after_position: int) -> None:
        """Begin at once."""
        self.name = name
        self.after_position = after_position
        self.seen: list[tuple[int, UUID]] = []
        self._run = run
        self._error: Exception | None = None
        self._position = after_position
        self._subscription = store.subscribe(
            after_position=after_position, where=run.where, poll_interval=_POLL_INTERVAL
        )
        self._thread = threading.Thread(target=self._follow, name=f"mink-demo-{name}", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for batch in self._subscription:
                self.seen += [(event.global_position, event.event_id) for event in batch if self._run.owns(event)]
                self._position = batch[-1].global_position
        except Exception as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error

    def wait_until(self, position: int, seconds: float) -> None:
        """Wait until it was given everything up to a position, at most so long.

        Raises:
            Exception: What ended it before its time.
        """
        deadline = time.monotonic() + seconds
        while self._position < position and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End it."""
        self._subscription.close()
        self._thread.join()

    def __enter__(self) -> Self:
        """The follower itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
