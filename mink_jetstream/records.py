"""Everything that is no event: records by key in a bucket, changed together or not at all.

A change is a function of the records that it looks at. What it has put, or held on to, is written with the
sequences that were read as expectations, in one atomic batch; if one is newer by then, the function is
applied again to what is there. It may run several times and touches nothing but the records.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from mink_core.errors import OutcomeUnknownError, TransientStorageError, UsageError
from mink_jetstream.answers import RefusedError, server_time
from mink_jetstream.jetstream import WRONG_SEQUENCE, WRONG_SEQUENCE_NOW
from mink_jetstream.messages import EXPECTED, OVERHEAD
from mink_jetstream.requests import Request, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mink_jetstream.place import Place

T = TypeVar("T")
S = TypeVar("S")

_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
_AT_ONCE = 64
_REMOVED = {"KV-Operation": "DEL", "Nats-TTL": "1h"}
"""The headers of a mark in the place of a removed record. Whoever read the record before it goes has long ended."""


class Raw(NamedTuple):
    """A record as it is stored."""

    data: bytes
    """Empty where there is none."""
    sequence: int
    """0 where there never was one."""
    time: datetime | None
    """When it was written, by the server's clock."""


_NEVER = Raw(b"", 0, None)
_encode = msgspec.json.Encoder().encode


class _NeedError(Exception):
    """The change looks at records that are not loaded yet."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = tuple(keys)


class View:
    """The records, as one change sees and changes them."""

    def __init__(self, loaded: dict[str, Raw], now: datetime | None) -> None:
        """See what is loaded."""
        self._loaded = loaded
        self._now = now
        self.written: dict[str, bytes] = {}

    @property
    def now(self) -> datetime:
        """The server's time, for a change that asked for it."""
        assert self._now is not None  # noqa: S101 -- a mistake in this package
        return self._now

    def need(self, keys: Iterable[str]) -> None:
        """Load these in one go, where they are not yet."""
        if missing := [key for key in keys if key not in self._loaded]:
            raise _NeedError(missing)

    def raw(self, key: str) -> Raw:
        """A record as it was stored."""
        self.need((key,))
        return self._loaded[key]

    def get(self, key: str, kind: type[S]) -> S | None:
        """A record, with what this change has put."""
        data = self.written.get(key)
        if data is None:
            data = self.raw(key).data
        return msgspec.json.decode(data, type=kind) if data else None

    def put(self, key: str, record: msgspec.Struct | bytes) -> None:
        """Write a record."""
        self.raw(key)
        self.written[key] = record if isinstance(record, bytes) else _encode(record)

    def drop(self, key: str) -> None:
        """Remove a record, if there is one."""
        if self.raw(key).data or key in self.written:
            self.written[key] = b""

    def hold(self, key: str) -> None:
        """Refuse the change unless the record is still the same when it is written."""
        self.written.setdefault(key, self.raw(key).data)


class Records:
    """The records of one store."""

    def __init__(self, place: Place) -> None:
        """Keep them at a place."""
        self._place = place
        self._jetstream = place.jetstream
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def load(self, keys: Iterable[str]) -> dict[str, Raw]:
        """Records from the leader, several at a time."""
        wanted = list(keys)
        found = (
            await asyncio.gather(*[self._load(key) for key in wanted])
            if len(wanted) > 1
            else [await self._load(wanted[0])]
            if wanted
            else []
        )
        return dict(zip(wanted, found, strict=True))

    async def _load(self, key: str) -> Raw:
        async with self._room:
            stored = await self._place.ask(self._jetstream.get(self._place.bucket, {"last_by_subj": key}))
        return _NEVER if stored is None else Raw(b64decode(stored.data), stored.seq, stored.time)

    async def keys(self, pattern: str) -> list[str]:
        """The keys that match, also of records that were removed lately."""
        found: list[str] = []
        while True:
            info = await self._place.ask(self._jetstream.info(self._place.bucket, subjects=pattern, offset=len(found)))
            found += info.state.subjects
            if not info.state.subjects or len(found) >= info.total:
                return found

    async def now(self) -> datetime:
        """The server's time."""
        info = await self._place.ask(self._jetstream.info(self._place.bucket))
        return server_time(info.ts)

    async def look(self, apply: Callable[[View], T], *, timed: bool = False) -> T:
        """What a function makes of the records, which it does not change."""
        return await self.change(apply, timed=timed)

    async def change(self, apply: Callable[[View], T], *, timed: bool = False) -> T:
        """Apply a change, all or nothing.

        Args:
            apply: What to do; raises to refuse, and nothing is changed.
            timed: Whether it asks for the server's time.

        Raises:
            TransientStorageError: Others changed the same records all the time, or nobody answered in time.
            OutcomeUnknownError: The reply was lost.
        """
        deadline, pause = self._jetstream.deadline(), _PAUSE
        wanted: set[str] = set()
        while True:
            now = await self.now() if timed else None
            loaded: dict[str, Raw] = {}
            view, result = await self._apply(apply, loaded, wanted, now)
            if not view.written or await self._write(view.written, loaded, deadline):
                return result
            wanted = set(loaded)
            if asyncio.get_running_loop().time() + pause >= deadline:
                msg = "others changed the same records all the time; nothing was changed, and the same call may be made again"
                raise TransientStorageError(msg)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _apply(
        self, apply: Callable[[View], T], loaded: dict[str, Raw], wanted: set[str], now: datetime | None
    ) -> tuple[View, T]:
        loaded.update(await self.load(wanted))
        while True:
            view = View(loaded, now)
            try:
                return view, apply(view)
            except _NeedError as need:
                loaded.update(await self.load(need.keys))

    async def _write(self, written: dict[str, bytes], loaded: dict[str, Raw], deadline: float) -> bool:
        """Whether it was stored; not where a record is newer than what was read."""
        requests: list[Request] = []
        room = self._jetstream.connection.max_payload - OVERHEAD
        for key, data in written.items():
            if len(data) > room:
                msg = f"a record may have {room} bytes here, as the server's max_payload says, not {len(data)}; nothing was changed"
                raise UsageError(msg)
            headers = {EXPECTED: str(loaded[key].sequence), **({} if data else _REMOVED)}
            requests.append(Request(key, data, headers))
        try:
            await self._jetstream.write(requests, deadline, inf, self._place.bucket)
        except RefusedError as error:
            if error.code in {WRONG_SEQUENCE, WRONG_SEQUENCE_NOW}:
                return False
            raise self._place.refused(error) from error
        except UnansweredError as error:
            msg = f"the reply to a change of the store's records was lost ({error}): it may be stored"
            raise OutcomeUnknownError(msg, retry_is_safe=False) from error
        return True
