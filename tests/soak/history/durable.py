"""Durable subscriptions of the soak: what their handlers leave behind, and the judge of it.

`exact` commits its effect with its checkpoint, by the transaction's own connection. `least` writes a line to a file at
once, so that what a killed worker did is known.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from mink_core import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from conformance_tests.histories.history import Seen
    from mink_core import StoredEvent

EFFECTS = "CREATE TABLE {effects} (n bigserial PRIMARY KEY, position bigint NOT NULL, owner text NOT NULL)"
PARTITIONS = 4
OPTIONS: dict[str, Any] = {
    "partitions": PARTITIONS,
    "lease_seconds": 2.0,
    "poll_interval": 0.1,
    "batch_size": 20,
    "retry": RetryPolicy(retries=1000, first_wait=0.05, longest_wait=0.5),
}


def sync_workers(store: Any, effects: str, log: Path) -> Callable[[], list[Any]]:
    """Make a worker of each subscription, for threads."""
    owner = str(os.getpid())
    statement = f"INSERT INTO {effects} (position, owner) VALUES (%s, %s)"
    note = _noting(log)

    def exact(event: StoredEvent, tx: Any) -> None:
        tx.connection.execute(statement, (event.global_position, owner))

    def least(event: StoredEvent) -> None:
        note(event.global_position)

    return lambda: [
        store.subscription("exact", exact, transactional=True, **OPTIONS),
        store.subscription("least", least, **OPTIONS),
    ]


def async_workers(store: Any, effects: str, log: Path, *, asyncpg: bool) -> Callable[[], list[Any]]:
    """Make a worker of each subscription, for tasks."""
    owner = str(os.getpid())
    note = _noting(log)

    async def exact(event: StoredEvent, tx: Any) -> None:
        if asyncpg:
            await tx.connection.execute(
                f"INSERT INTO {effects} (position, owner) VALUES ($1, $2)", event.global_position, owner
            )
        else:
            await tx.connection.execute(
                f"INSERT INTO {effects} (position, owner) VALUES (%s, %s)", (event.global_position, owner)
            )

    async def least(event: StoredEvent) -> None:
        note(event.global_position)

    return lambda: [
        store.subscription("exact", exact, transactional=True, **OPTIONS),
        store.subscription("least", least, **OPTIONS),
    ]


def _noting(log: Path) -> Callable[[int], None]:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(position: int) -> None:
        os.write(descriptor, f"{time.monotonic_ns()} {position}\n".encode())

    return note


class Notes:
    """What `least` did, read on from where the last window ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}

    def new(self) -> list[tuple[int, int]]:
        """When and with which position it was called since the last look, in the order of time."""
        found: list[tuple[int, int]] = []
        for log in self._folder.iterdir():
            with log.open("rb") as file:
                file.seek(self._read.get(log.name, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read[log.name] = self._read.get(log.name, 0) + len(whole)
            found += [(int(line.split()[0]), int(line.split()[1])) for line in whole.splitlines()]
        return sorted(found)


def judge_deliveries(feed: Sequence[Seen], exact: Sequence[int], least: Sequence[int]) -> Iterator[str]:
    """SUB-06, 07, 09: all of the window's events, in order within a stream; `exact` once each."""
    by_position = {event.position: event for event in feed}
    for name, positions in (("exact", exact), ("least", least)):
        missing = by_position.keys() - set(positions)
        if missing:
            yield f"SUB-06 subscription {name} was not given positions {sorted(missing)[:10]} ({len(missing)} in all)"
        if strange := set(positions) - by_position.keys():
            yield f"SUB-06 subscription {name} was given positions {sorted(strange)[:10]}, which nobody stored"
        highest: dict[str, int] = defaultdict(int)
        for position in dict.fromkeys(positions):
            event = by_position.get(position)
            if event is None:
                continue
            if event.version < highest[event.stream]:
                yield f"SUB-06 subscription {name}: version {event.version} of {event.stream} came after a later one"
            highest[event.stream] = max(highest[event.stream], event.version)
    if twice := [position for position, times in Counter(exact).items() if times > 1]:
        yield f"SUB-07 the effects of positions {twice[:10]} were committed more than once"
