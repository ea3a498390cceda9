"""Who uses a store while its events are moved: threads that append, one that follows the feed, privacy operations."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from mink_core import ExpectedVersion, NewEvent

if TYPE_CHECKING:
    from mink_postgres import PostgresEventStore
    from tests.postgres.readers import StoreReader

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


class BrokenOffError(Exception):
    """The process that moves the events ends in the middle."""


def break_off(_done: int, _mark: int) -> None:
    raise BrokenOffError


class InUse:
    """A store with two thousand events that goes on being used, and of which two streams are rewritten in the middle of it."""

    def __init__(self, store: PostgresEventStore, reader: StoreReader) -> None:
        self.store, self.reader = store, reader
        for number in range(40):
            store.append(f"old-{number}", [NewEvent("Old", n) for n in range(50)], expected_version=ANY)
        self.loads = [Load(store, number) for number in range(3)]
        self.acknowledged: list[Any] = []
        self._rewritten = False
        for load in self.loads:
            load.start()

    def rewrite(self, _done: int, _mark: int) -> None:
        """To be called while events are copied: what is copied already must not keep what is taken away."""
        if not self._rewritten:
            self.store.privacy.redact("old-1", 1, data="gone", by="test")
            self.store.privacy.purge("old-2", up_to_version=10, by="test")
            self._rewritten = True
        self.reader.poll()

    def end(self) -> None:
        time.sleep(0.3)
        for load in self.loads:
            load.stopping.set()
        for load in self.loads:
            load.join()
        self.acknowledged = sorted(it for load in self.loads for it in load.acknowledged)
        while self.reader.poll():
            pass

    @property
    def stored(self) -> int:
        """How many events there must be: ten were purged."""
        return 2000 - 10 + len(self.acknowledged)

    def check(self) -> list[int]:
        """That nothing is lost or told twice, and what was rewritten is; returns the positions."""
        assert self._rewritten
        assert [load.error for load in self.loads] == [None] * 3
        events = list(self.store.read_all())
        live = [(it.global_position, it.stream_id, it.version) for it in events if it.event_type == "Live"]
        assert live == self.acknowledged
        assert len(events) == self.stored
        positions = [it.global_position for it in events]
        seen = self.reader.seen
        assert seen == sorted(set(seen))
        assert set(seen) >= set(positions)
        assert next(iter(self.store.read_stream("old-1"))).data == "gone"
        assert [it.version for it in self.store.read_stream("old-2")] == list(range(11, 51))
        assert self.store.check() == []
        return positions

    def __str__(self) -> str:
        return f"the longest append and read took {max(load.longest for load in self.loads):.2f} s"
