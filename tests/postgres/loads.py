"""Who uses a store while something is done to it: a thread that appends, and one that follows the feed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from mink_core import ExpectedVersion, NewEvent

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore

ANY = ExpectedVersion.ANY


class Load(threading.Thread):
    """Appends and reads while the store is moved; keeps what was acknowledged."""

    def __init__(self, store: PostgresEventStore, number: int) -> None:
        super().__init__()
        self.store, self.number = store, number
        self.acknowledged: list[Any] = []
        self.stopping = threading.Event()
        self.error: BaseException | None = None
        self.longest = 0.0

    def run(self) -> None:
        count = 0
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                stream = f"live-{self.number}-{count % 7}"
                result = self.store.append(stream, [NewEvent("Live", count)], expected_version=ANY)
                self.acknowledged.append((result.first_position, stream, result.first_version))
                list(self.store.read_stream(stream, limit=3))
                self.longest = max(self.longest, time.monotonic() - began)
                count += 1
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.error = error


class Follower(threading.Thread):
    """Subscribes to the feed, and keeps the positions that it was given."""

    def __init__(self, store: PostgresEventStore) -> None:
        super().__init__()
        self.subscription = store.subscribe(poll_interval=0.01)
        self.seen: list[int] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for batch in self.subscription:
                self.seen.extend(event.global_position for event in batch)
        except BaseException as error:  # noqa: BLE001 -- told by the test
            self.error = error

    def wait_for(self, position: int) -> None:
        end = time.monotonic() + 60
        while (not self.seen or self.seen[-1] < position) and self.is_alive():
            assert time.monotonic() < end, "the feed does not go on"
            time.sleep(0.01)
        self.subscription.close()
        self.join(60)
