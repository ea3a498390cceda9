"""64 callers with exact expectations, and readers that follow the feed: an application on a replicated store."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from mink_core import (
    ConcurrencyError,
    MinkError,
    NewEvent,
    OutcomeUnknownError,
    StorageError,
    TransientStorageError,
)
from tests.soak.jetstream_ledger import Call, Outcome, Seen, Stale

if TYPE_CHECKING:
    from mink_core import AsyncStore
    from tests.soak.jetstream_ledger import Ledger

SHARED = 16
"""Streams that all callers append to; besides, each has one of its own."""
PAGE = 500
_PAUSE = 0.05


class Caller:
    """Appends one call after the other, to its own stream and to those that all share."""

    def __init__(self, number: int, store: AsyncStore, ledger: Ledger, through: str, seed: int) -> None:
        """Know no stream yet."""
        self._number = number
        self._store = store
        self._ledger = ledger
        self._through = through
        self._random = Random(f"{seed}-{number}")
        self._versions: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Append until told to stop; the last call ends."""
        while not stop.is_set():
            await asyncio.sleep(0)  # memory's calls do not wait for anything
            own = self._random.random() < 0.75
            stream = f"own-{self._number}" if own else f"shared-{self._random.randrange(SHARED)}"
            count = 1 if self._random.random() < 0.7 else self._random.randint(2, 4)
            events = [
                NewEvent(
                    "Happened",
                    {"by": self._number, "n": n},
                    event_id=UUID(int=self._random.getrandbits(128), version=4),
                )
                for n in range(count)
            ]
            try:
                await self._call(stream, events, stop)
            except MinkError as error:
                self._ledger.problem(f"an append raised {type(error).__name__}: {error}")
                return

    async def _call(self, stream: str, events: list[NewEvent], stop: asyncio.Event) -> None:
        expected = self._versions.get(stream, 0)
        ids = tuple(event.event_id for event in events)
        began = time.monotonic()
        in_doubt, result = False, None
        while True:
            floor = self._ledger.highest[stream]
            try:
                result = await self._store.append(stream, events, expected_version=expected)
            except ConcurrencyError as error:
                self._failed(error)
                self._conflict(stream, expected, floor, error)
                outcome = Outcome.REFUSED
            except OutcomeUnknownError as error:
                self._failed(error)
                in_doubt, outcome = True, Outcome.UNKNOWN
                if not error.retry_is_safe:
                    self._ledger.problem(f"a call with an exact expectation may not be repeated: {error}")
            except TransientStorageError as error:
                self._failed(error)
                outcome = Outcome.UNKNOWN if in_doubt else Outcome.NOT_STORED
            else:
                outcome = Outcome.ACKNOWLEDGED
                self._versions[stream] = result.last_version
            # An application repeats what failed; half of these give up, so that the end has something to judge.
            if outcome in {Outcome.ACKNOWLEDGED, Outcome.REFUSED} or stop.is_set() or self._random.random() < 0.5:
                break
            await asyncio.sleep(_PAUSE)
        self._ledger.note(Call(stream, expected, ids, outcome, began, time.monotonic(), self._through, result))
        if outcome is not Outcome.ACKNOWLEDGED:
            await asyncio.sleep(_PAUSE)

    def _conflict(self, stream: str, expected: int, floor: int, error: ConcurrencyError) -> None:
        actual = error.actual
        if actual == expected:
            self._ledger.problem(f"a conflict on {stream} at {expected} told that very version")
        if actual < floor:
            said = f"a conflict on {stream} at {expected} told version {actual}, and {floor} was acknowledged before"
            self._ledger.stale.append(Stale(self._through, time.monotonic(), said))
        self._versions[stream] = actual

    def _failed(self, error: MinkError) -> None:
        self._ledger.errors[type(error).__name__] += 1


class Reader:
    """Follows the feed from its start, through every fault, and keeps what it was given."""

    def __init__(self, store: AsyncStore, ledger: Ledger) -> None:
        """Nothing was read."""
        self._store = store
        self._ledger = ledger
        self.given: list[Seen] = []
        self.position = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop."""
        while not stop.is_set():
            try:
                page = await self._store.poll(self.position, limit=PAGE)
            except StorageError as error:
                self._ledger.errors[f"reader: {type(error).__name__}"] += 1
                await asyncio.sleep(_PAUSE)
                continue
            except MinkError as error:
                self._ledger.problem(f"a reader at {self.position} was refused: {type(error).__name__}: {error}")
                return
            self.given += [Seen(it.global_position, it.event_id, it.stream_id, it.version) for it in page.events]
            self.position = page.next_position
            if not page.events:
                await asyncio.sleep(_PAUSE / 2)

    async def catch_up(self, position: int, seconds: float = 60.0) -> None:
        """Wait until it is at a position."""
        end = time.monotonic() + seconds
        while self.position < position and time.monotonic() < end:  # noqa: ASYNC110 -- an event would be set at each page
            await asyncio.sleep(0.02)
