"""`store.parked`: what a subscription's handler failed on, async and sync."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from mink_core.parked import MAX_PARKED_ERROR, ParkedEvent
from mink_core.runtime.checks import check_park, check_parked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.events import StoredEvent
    from mink_jetstream.records import Raw, Records, View
    from mink_jetstream.subjects import Keys
    from mink_jetstream.substores.base import Base, Run

KIND = "parked"
_WIDTH = 19
"""Digits of the largest position."""


class ParkedRow(msgspec.Struct, frozen=True):
    """A parked event as it is stored."""

    stream_id: str
    version: int
    event_type: str
    attempts: int
    error: str
    parked_at: str
    """RFC 3339, by the server's clock: asking for a replay does not change it."""
    replay: bool = False


def _key(keys: Keys, subscription: str, position: int) -> str:
    return keys.of(KIND, subscription, f"{position:0{_WIDTH}}")


async def parked_rows(records: Records, keys: Keys, subscription: str | None) -> dict[str, Raw]:
    """The records of a subscription's parked events, or of all."""
    pattern = keys.below(KIND) if subscription is None else keys.below(KIND, subscription)
    rows = await records.load(await records.keys(pattern))
    return {key: raw for key, raw in rows.items() if raw.data}


class AsyncJetStreamParkedEvents:
    """See `mink_core.AsyncParkedEventStore`."""

    def __init__(self, store: Base) -> None:
        """Made by the property of a store."""
        self._store = store

    async def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """See `ParkedEventStore.park`."""
        check_park(subscription, event, attempts, error)
        records = await self._store.records()
        key = _key(self._store.keys, subscription, event.global_position)
        said = error[:MAX_PARKED_ERROR].replace("\x00", "").encode(errors="replace").decode()

        def apply(view: View) -> None:
            row = ParkedRow(event.stream_id, event.version, event.event_type, attempts, said, view.now.isoformat())
            view.put(key, row)

        await records.change(apply, timed=True)

    async def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """See `ParkedEventStore.list`."""
        check_parked(subscription, None)
        records, keys = await self._store.records(), self._store.keys
        found: list[ParkedEvent] = []
        for key, raw in (await parked_rows(records, keys, subscription)).items():
            _, name, position = keys.parts(key)
            row = msgspec.json.decode(raw.data, type=ParkedRow)
            found.append(
                ParkedEvent(
                    name,
                    int(position),
                    row.stream_id,
                    row.version,
                    row.event_type,
                    row.attempts,
                    row.error,
                    datetime.fromisoformat(row.parked_at),
                    row.replay,
                )
            )
        return sorted(
            (it for it in found if it.replay or not asked),
            key=lambda parked: (parked.subscription, parked.global_position),
        )

    async def replay(self, subscription: str, position: int | None = None) -> int:
        """See `ParkedEventStore.replay`."""
        check_parked(subscription, position)
        records, keys = await self._store.records(), self._store.keys
        if position is None:
            wanted = list(await parked_rows(records, keys, subscription))
        else:
            wanted = [_key(keys, subscription, position)]
        # One by one: each is a wish of its own, and there may be more than an atomic batch takes.
        return sum([await records.change(_asking(key)) for key in wanted])

    async def remove(self, subscription: str, position: int) -> bool:
        """See `ParkedEventStore.remove`."""
        check_parked(subscription, position)
        records = await self._store.records()
        key = _key(self._store.keys, subscription, position)

        def apply(view: View) -> bool:
            there = bool(view.raw(key).data)
            view.drop(key)
            return there

        return await records.change(apply)


def _asking(key: str) -> Callable[[View], bool]:
    def apply(view: View) -> bool:
        row = view.get(key, ParkedRow)
        if row is None:
            return False
        view.put(key, msgspec.structs.replace(row, replay=True))
        return True

    return apply


class JetStreamParkedEvents:
    """See `mink_core.ParkedEventStore`."""

    def __init__(self, run: Run, inner: AsyncJetStreamParkedEvents) -> None:
        """Made by the property of a store."""
        self._run = run
        self._inner = inner

    def park(self, subscription: str, event: StoredEvent, *, attempts: int, error: str) -> None:
        """See `ParkedEventStore.park`."""
        self._run(self._inner.park(subscription, event, attempts=attempts, error=error))

    def list(self, subscription: str | None = None, *, asked: bool = False) -> Sequence[ParkedEvent]:
        """See `ParkedEventStore.list`."""
        return self._run(self._inner.list(subscription, asked=asked))

    def replay(self, subscription: str, position: int | None = None) -> int:
        """See `ParkedEventStore.replay`."""
        return self._run(self._inner.replay(subscription, position))

    def remove(self, subscription: str, position: int) -> bool:
        """See `ParkedEventStore.remove`."""
        return self._run(self._inner.remove(subscription, position))
