"""`store.snapshots`: a stream's newest states, async and sync.

A stream's snapshots are one record that lists them and one for the data of each, in slots that are used
again. All that a save changes is written at once. A reader who finds another version in a slot than the list
said was overtaken, and begins again.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec resolves a Struct's annotations at run time
from typing import TYPE_CHECKING, Any

import msgspec

from mink_core.prepare_substores.snapshots import check_delete, check_list, check_load, prepare_snapshot, snapshot_data
from mink_core.snapshots import Snapshot, SnapshotInfo, Tail
from mink_jetstream.feed import StreamPages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from mink_core.events import StoredEvent
    from mink_core.prepare_substores.snapshots import PreparedSnapshot
    from mink_jetstream.reading import Reading
    from mink_jetstream.records import Records, View
    from mink_jetstream.subjects import Keys
    from mink_jetstream.substores.base import Base, Run

_KIND = "snapshot"
_LIST = "list"
_DROPS = 900
"""Slots that one change empties at most: an atomic batch takes 1,000 messages. Others are used again later."""


class _Entry(msgspec.Struct, frozen=True):
    version: int
    slot: int
    snapshot_type: str
    schema_version: int
    is_json: bool
    size: int
    created_at: datetime
    """By the server's clock."""


class _List(msgspec.Struct, frozen=True):
    entries: tuple[_Entry, ...]
    """The newest first."""


def _list_key(keys: Keys, stream_id: str) -> str:
    return keys.of(_KIND, stream_id, _LIST)


def _slot_key(keys: Keys, stream_id: str, slot: int) -> str:
    return keys.of(_KIND, stream_id, str(slot))


def _entries(view: View, keys: Keys, stream_id: str) -> tuple[_Entry, ...]:
    row = view.get(_list_key(keys, stream_id), _List)
    return () if row is None else row.entries


def _save(view: View, keys: Keys, given: PreparedSnapshot) -> bool:
    kept = _entries(view, keys, given.stream_id)
    if kept and kept[0].version > given.version:
        return False
    older = tuple(entry for entry in kept if entry.version < given.version)[: given.keep - 1]
    used = {entry.slot for entry in older}
    slot = next(number for number in range(len(used) + 1) if number not in used)
    entry = _Entry(
        given.version,
        slot,
        given.snapshot_type,
        given.schema_version,
        given.is_json,
        len(given.data),
        view.now,
    )
    freed = [entry.slot for entry in kept if entry.slot not in {*used, slot}][:_DROPS]
    view.need([_slot_key(keys, given.stream_id, number) for number in (slot, *freed)])
    view.put(_list_key(keys, given.stream_id), _List((entry, *older)))
    view.put(_slot_key(keys, given.stream_id, slot), _packed(given.version, given.data))
    for number in freed:
        view.drop(_slot_key(keys, given.stream_id, number))
    return True


def _packed(version: int, data: bytes) -> bytes:
    return b"%d\n%b" % (version, data)


def _unpacked(packed: bytes) -> tuple[int, bytes]:
    version, _, data = packed.partition(b"\n")
    return int(version or 0), data


def _delete(view: View, keys: Keys, stream_id: str, up_to_version: int | None) -> int:
    kept = _entries(view, keys, stream_id)
    left = tuple(entry for entry in kept if up_to_version is not None and entry.version > up_to_version)
    gone = [entry.slot for entry in kept if entry not in left][:_DROPS]
    view.need([_slot_key(keys, stream_id, slot) for slot in gone])
    for slot in gone:
        view.drop(_slot_key(keys, stream_id, slot))
    if left:
        view.put(_list_key(keys, stream_id), _List(left))
    else:
        view.drop(_list_key(keys, stream_id))
    return len(kept) - len(left)


class AsyncJetStreamSnapshots:
    """See `mink_core.AsyncSnapshotStore`."""

    def __init__(self, store: Base, reading: Reading, decode: Callable[[Any], StoredEvent]) -> None:
        """Made by the property of a store."""
        self._store = store
        self._reading = reading
        self.decode = decode

    async def save(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """See `SnapshotStore.save`."""
        given = prepare_snapshot(
            stream_id, version, data, snapshot_type=snapshot_type, schema_version=schema_version, keep=keep
        )
        keys = self._store.keys
        return await (await self._store.records()).change(lambda view: _save(view, keys, given), timed=True)

    async def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """See `SnapshotStore.load`."""
        check_load(stream_id, snapshot_type, schema_version, at_version)
        records, keys = await self._store.records(), self._store.keys

        def fits(entry: _Entry) -> bool:
            return (
                (at_version is None or entry.version <= at_version)
                and snapshot_type in (None, entry.snapshot_type)
                and schema_version in (None, entry.schema_version)
            )

        while True:
            entries = await records.look(lambda view: _entries(view, keys, stream_id))
            entry = next(filter(fits, entries), None)
            if entry is None:
                return None
            found = await self._slot(records, stream_id, entry)
            if found is not None:
                return found

    async def _slot(self, records: Records, stream_id: str, entry: _Entry) -> Snapshot | None:
        """The snapshot of an entry; None where its slot was used again meanwhile."""
        key = _slot_key(self._store.keys, stream_id, entry.slot)
        version, data = _unpacked((await records.load([key]))[key].data)
        # The same version may be saved anew, of another size or kind: then the list says so.
        if version != entry.version or len(data) != entry.size:
            return None
        return Snapshot(
            stream_id,
            entry.version,
            snapshot_data(data, is_json=entry.is_json),
            entry.snapshot_type,
            entry.schema_version,
            entry.created_at,
        )

    async def tail(
        self, stream_id: str, snapshot_type: str | None, schema_version: int | None
    ) -> tuple[Snapshot | None, StreamPages]:
        """The newest snapshot that is not ahead of its stream, and the pages after it."""
        check_load(stream_id, snapshot_type, schema_version)
        await self._store.records()
        version = (await self._reading.tail(stream_id)).version
        snapshot = await self.load(
            stream_id, at_version=version, snapshot_type=snapshot_type, schema_version=schema_version
        )
        after = snapshot.version if snapshot else 0
        return snapshot, StreamPages(self._reading, stream_id, after=after, limit=None, backward=False)

    async def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[AsyncIterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`; it takes three round trips here."""
        snapshot, pages = await self.tail(stream_id, snapshot_type, schema_version)
        return Tail(snapshot, self._events(pages))

    async def _events(self, pages: StreamPages) -> AsyncIterator[StoredEvent]:
        while rows := await pages.page():
            for row in rows:
                yield self.decode(row)

    async def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        check_delete(stream_id, up_to_version)
        keys = self._store.keys
        return await (await self._store.records()).change(lambda view: _delete(view, keys, stream_id, up_to_version))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        check_list(after, limit)
        records, keys = await self._store.records(), self._store.keys
        names = sorted(keys.parts(key)[1] for key in await records.keys(f"{keys.of(_KIND)}.*.{_LIST}"))
        found: list[SnapshotInfo] = []
        wanted = [name for name in names if after is None or name > after]
        for begin in range(0, len(wanted), max(limit, 1)):
            if len(found) >= limit:
                break
            page = wanted[begin : begin + limit]
            rows = await records.load([_list_key(keys, name) for name in page])
            for name, raw in zip(page, rows.values(), strict=True):
                if raw.data and len(found) < limit:  # its mark stays a while where it was deleted
                    newest = msgspec.json.decode(raw.data, type=_List).entries[0]
                    found.append(
                        SnapshotInfo(
                            name,
                            newest.version,
                            newest.snapshot_type,
                            newest.schema_version,
                            newest.size,
                            newest.created_at,
                        )
                    )
        return found


class JetStreamSnapshots:
    """See `mink_core.SnapshotStore`."""

    def __init__(self, run: Run, inner: AsyncJetStreamSnapshots) -> None:
        """Made by the property of a store."""
        self._run = run
        self._inner = inner

    def save(  # noqa: PLR0913 -- the contract's
        self,
        stream_id: str,
        version: int,
        data: Any,
        *,
        snapshot_type: str = "",
        schema_version: int = 1,
        keep: int = 1,
    ) -> bool:
        """See `SnapshotStore.save`."""
        return self._run(
            self._inner.save(
                stream_id, version, data, snapshot_type=snapshot_type, schema_version=schema_version, keep=keep
            )
        )

    def load(
        self,
        stream_id: str,
        *,
        at_version: int | None = None,
        snapshot_type: str | None = None,
        schema_version: int | None = None,
    ) -> Snapshot | None:
        """See `SnapshotStore.load`."""
        return self._run(
            self._inner.load(
                stream_id, at_version=at_version, snapshot_type=snapshot_type, schema_version=schema_version
            )
        )

    def load_with_tail(
        self, stream_id: str, *, snapshot_type: str | None = None, schema_version: int | None = None
    ) -> Tail[Iterator[StoredEvent]]:
        """See `SnapshotStore.load_with_tail`."""
        snapshot, pages = self._run(self._inner.tail(stream_id, snapshot_type, schema_version))
        return Tail(snapshot, self._events(pages))

    def _events(self, pages: StreamPages) -> Iterator[StoredEvent]:
        while rows := self._run(pages.page()):
            yield from map(self._inner.decode, rows)

    def delete(self, stream_id: str, *, up_to_version: int | None = None) -> int:
        """See `SnapshotStore.delete`."""
        return self._run(self._inner.delete(stream_id, up_to_version=up_to_version))

    def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[SnapshotInfo]:
        """See `SnapshotStore.list`."""
        return self._run(self._inner.list(after=after, limit=limit))
