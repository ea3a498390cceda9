"""Where a store keeps its data: one JetStream stream for events, one key-value bucket for everything else.

Both are made by `making.make`. The store's identity, epoch and layout stand in the metadata of the events'
stream, so that a restored backup brings its own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from mink_core.errors import MinkError, SchemaError, StorageError, TransientStorageError
from mink_core.events import StoreIdentity
from mink_core.limits import Limits
from mink_jetstream.answers import Info, RefusedError
from mink_jetstream.jetstream import NO_STREAM, JetStream
from mink_jetstream.leading import HEALING, Leading, is_led
from mink_jetstream.messages import OVERHEAD
from mink_jetstream.patience import Patience
from mink_jetstream.subjects import Keys, Subjects

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nats.aio.msg import Msg

    from mink_jetstream.options import Options

T = TypeVar("T")

LAYOUT = 1
STORE, EPOCH, LAYOUT_KEY = "mink.store", "mink.epoch", "mink.layout"
_MAX_CALL_EVENTS = 1000
"""Events of one call: the server's limit on an atomic batch."""
_LOOK = 60.0
"""Seconds after which a store looks again at how it is kept: copies may be added while it is in use."""


class Place:
    """The stream and the bucket of one store."""

    def __init__(self, jetstream: JetStream, options: Options) -> None:
        """Look at nothing yet."""
        self.jetstream = jetstream
        self.options = options
        self.stream = f"MINK_{options.store}"
        self.subjects = Subjects(options.store)
        self.keys = Keys(options.store)
        self.bucket = f"KV_{self.keys.bucket}"
        self.leading = Leading()
        self._looked = -inf
        self._told: tuple[object, ...] = ()
        self._alone_on = self._recognized_on = -1
        self._recognizing = asyncio.Lock()
        self.identity: StoreIdentity | None = None
        """As it was last looked at."""
        self.histories = 0
        """Grows where an answer tells of another store or epoch than the one before."""

    @property
    def is_alone(self) -> bool:
        """Whether one server, of no cluster, gives all answers on this connection: none of them is behind another.

        That the stream has one copy is not enough: by the word of a server of a cluster, it may be elsewhere by now, and
        have several.
        """
        return self._alone_on == self.jetstream.connection.reconnects

    @property
    def limits(self) -> Limits:
        """What the server takes; of a store that is not connected, what every server does."""
        return Limits(
            call_events=_MAX_CALL_EVENTS, event_bytes=max(self.jetstream.connection.max_payload - OVERHEAD, 1)
        )

    async def ready(self) -> None:
        """Open the connection and look whether the store is there, at first and now and then.

        Raises:
            SchemaError: It is not, or it is newer than this code.
        """
        now = asyncio.get_running_loop().time()
        if now < self._looked + _LOOK:
            self.jetstream.connection.check_open()
            return
        if self.identity is not None:
            self._looked = now  # one asks again, the others go on
        info = await self.info()
        if self.identity is None:
            self.identity = self.identity_of(info)
        else:
            await self.is_another(info, self.identity)
        self._looked = now

    async def is_another(self, info: Info, known: StoreIdentity | None) -> bool:
        """Whether the store has another identity or epoch than was known, as a restored backup has.

        Told by two looks, as a server that was cut off may tell an old epoch.
        """
        present = self.identity_of(info)
        if present == known:
            return False
        if not self.is_alone:
            await asyncio.sleep(HEALING)
            info = await self.info()
            present = self.identity_of(info)
            if present == known or not is_led(info):
                return False
        self.identity = present
        return True

    async def recognize(self) -> None:
        """Have `identity` be that of the log that an append of this store has just gone to, once for each connection.

        What was looked at before may be from a server that was cut off, or from before a backup was restored. What
        cannot be found out in a moment is left for the next append: this one is stored, which is to be told.
        """
        if self._recognized_on == self.jetstream.connection.reconnects:
            return
        with suppress(MinkError, TimeoutError):
            async with asyncio.timeout(HEALING), self._recognizing:
                if self._recognized_on == (connection := self.jetstream.connection.reconnects):
                    return
                info = await self.info()
                if self.is_alone or self.leading.shows(info):
                    self.identity, self._recognized_on = self.identity_of(info), connection

    async def present(self) -> StoreIdentity:
        """Who the store is now, by a leader for sure: by an append of this store, or by two looks.

        Raises:
            TransientStorageError: None can be reached in time.
        """
        deadline, before = self.jetstream.deadline(), None
        patience = Patience(deadline)
        while True:
            info = await self.info(deadline=deadline + HEALING)
            found = self.identity_of(info)
            if self.is_alone or self.leading.shows(info):
                return found
            if is_led(info):
                if found == before:
                    return found
                before = found
                await asyncio.sleep(HEALING)  # it may have been cut off until a moment ago
            elif not await patience.pause():
                msg = "who the store is, is told by a server alone that has lost its majority; the same call may be made again"
                raise TransientStorageError(msg)

    async def info(self, *, subjects: str | None = None, offset: int = 0, deadline: float | None = None) -> Info:
        """What the leader says of the events' stream now.

        Raises:
            SchemaError: The store was never initialized, or by newer code.
        """
        connection = self.jetstream.connection.reconnects
        try:
            found = await self.jetstream.info(self.stream, subjects=subjects, offset=offset, deadline=deadline)
        except RefusedError as error:
            raise self.refused(error) from error
        assert found.config is not None  # noqa: S101 -- there is one where there is no error
        self._alone_on = connection if found.config.num_replicas == 1 and not found.cluster.name else -1
        told = found.config.metadata.get(STORE), found.config.metadata.get(EPOCH)
        if told != self._told:
            self._told, self.histories, self._looked = told, self.histories + 1, -inf
        if is_led(found):
            self.jetstream.connection.prove()
        else:
            await self.jetstream.connection.doubt()
        return found

    async def page(self, wanted: dict[str, Any]) -> list[Msg]:
        """Events' messages from any copy; see `JetStream.page`."""
        return await self.ask(self.jetstream.page(self.stream, wanted, self._look_who_leads))

    async def _look_who_leads(self, deadline: float) -> None:
        await self.info(deadline=deadline)

    def refused(self, error: RefusedError) -> Exception:
        """What a refusal means to the caller of the store."""
        if error.code == NO_STREAM:
            return _missing(self.options.store)
        return StorageError(
            f"JetStream refused a request on the store {self.options.store!r}: {error}; nothing was done"
        )

    async def ask(self, asking: Awaitable[T]) -> T:
        """The answer to a request on the stream or the bucket.

        Raises:
            SchemaError: Neither is there.
            StorageError: It was refused for another reason, or nobody answered.
        """
        try:
            return await asking
        except RefusedError as error:
            raise self.refused(error) from error

    def identity_of(self, info: Info) -> StoreIdentity:
        """The store's identity and epoch.

        Raises:
            SchemaError: The stream is none of ours, or laid out by newer code.
        """
        assert info.config is not None  # noqa: S101 -- as above
        metadata = info.config.metadata
        try:
            layout = int(metadata[LAYOUT_KEY])
            identity = StoreIdentity(UUID(metadata[STORE]), int(metadata[EPOCH]))
        except (KeyError, ValueError) as error:
            msg = f"the JetStream stream {self.stream} was not made by this adapter; nothing was done: take another store name"
            raise SchemaError(msg) from error
        if layout > LAYOUT:
            msg = f"the store {self.options.store!r} has layout {layout} and this code knows {LAYOUT}: update it; nothing was done"
            raise SchemaError(msg)
        return identity

    async def bump_epoch(self) -> StoreIdentity:
        """Say that the history may have lost its newest events: readers get `PositionAheadError` (FEED-08)."""
        patience = Patience(self.jetstream.deadline())
        while True:
            identity = await self.present()
            raw = await self.jetstream.raw_config(self.stream)
            if raw["metadata"].get(EPOCH) == str(identity.epoch):
                break
            if not await patience.pause():
                msg = "servers tell of different epochs; nothing was done, and the same call may be made again"
                raise TransientStorageError(msg)
        raw["metadata"][EPOCH] = str(identity.epoch + 1)
        await self.jetstream.manage("UPDATE", self.stream, raw)
        return StoreIdentity(identity.store, identity.epoch + 1)

    async def drop(self) -> None:
        """Remove the store with all that is in it."""
        for name in (self.stream, self.bucket):
            try:
                await self.jetstream.manage("DELETE", name)
            except RefusedError as error:
                if error.code != NO_STREAM:
                    raise self.refused(error) from error


def _missing(store: str) -> SchemaError:
    """The error for a store that was never initialized."""
    return SchemaError(
        f"the JetStream store {store!r} is not there; nothing was done: run `mink init`, or call store.initialize()"
    )
