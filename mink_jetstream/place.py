"""Where a store keeps its data: one JetStream stream for events, one key-value bucket for everything else.

Both are made by `initialize`. The store's identity, epoch and layout stand in the metadata of the events'
stream, so that a restored backup brings its own.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from mink_core.errors import SchemaError, StorageError
from mink_core.events import StoreIdentity
from mink_jetstream.answers import Info, RefusedError
from mink_jetstream.jetstream import NO_PEERS, NO_STREAM, OTHER_CONFIG, JetStream, missing
from mink_jetstream.subjects import Keys, Subjects

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nats.aio.msg import Msg

    from mink_jetstream.answers import Config
    from mink_jetstream.options import Options

T = TypeVar("T")

_LAYOUT = 1
_STORE, _EPOCH, _LAYOUT_KEY = "mink.store", "mink.epoch", "mink.layout"
FRESH_SECONDS = 3.0
"""Seconds of silence after which a copy may be about to follow somebody else."""
HEALING = 1.2
"""Seconds in which a former leader hears of its successor once they reach each other: one sends each second."""
_PEERS = 0.2
"""Seconds between two tries to make a stream for which there are too few servers."""
_LOOK = 60.0
"""Seconds after which a store looks again at how it is kept: copies may be added while it is in use."""
_SAFE = 3
"""Copies from which the loss of one server costs nothing."""


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
        self._looked = -inf
        self.identity: StoreIdentity | None = None
        """As it was last looked at."""
        self.is_alone = True
        """Whether the stream has one copy, which is then the leader's."""

    async def ready(self) -> None:
        """Open the connection and look whether the store is there, at first and now and then.

        Raises:
            SchemaError: It is not, or it is newer than this code.
        """
        now = asyncio.get_running_loop().time()
        if now < self._looked + _LOOK:
            self.jetstream.connection.check_open()
            return
        if self._looked > -inf:
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

    async def info(self, *, subjects: str | None = None, offset: int = 0, deadline: float | None = None) -> Info:
        """What the leader says of the events' stream now.

        Raises:
            SchemaError: The store was never initialized, or by newer code.
        """
        try:
            found = await self.jetstream.info(self.stream, subjects=subjects, offset=offset, deadline=deadline)
        except RefusedError as error:
            raise self.refused(error) from error
        assert found.config is not None  # noqa: S101 -- there is one where there is no error
        self.is_alone = found.config.num_replicas == 1
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
            return missing(self.options.store)
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
            layout = int(metadata[_LAYOUT_KEY])
            identity = StoreIdentity(UUID(metadata[_STORE]), int(metadata[_EPOCH]))
        except (KeyError, ValueError) as error:
            msg = f"the JetStream stream {self.stream} was not made by this adapter; nothing was done: take another store name"
            raise SchemaError(msg) from error
        if layout > _LAYOUT:
            msg = f"the store {self.options.store!r} has layout {layout} and this code knows {_LAYOUT}: update it; nothing was done"
            raise SchemaError(msg)
        return identity

    async def initialize(self) -> None:
        """Make what is not there. Safe from several processes at once (LIFE-02)."""
        client = await self.jetstream.connection.client()
        copies = self.options.replicas or (_SAFE if len(client.servers) >= _SAFE else 1)
        metadata = {_LAYOUT_KEY: str(_LAYOUT), _STORE: str(uuid4()), _EPOCH: "1"}
        await self._make(self.stream, self.subjects.every, copies, metadata=metadata, deny_purge=True)
        # A bucket as other clients know it: one message a key. A removed key leaves a mark that goes by itself.
        bucket = {"max_msgs_per_subject": 1, "allow_rollup_hdrs": True, "allow_msg_ttl": True}
        await self._make(self.bucket, f"$KV.{self.keys.bucket}.>", copies, **bucket)
        info = await self.info()
        self.identity_of(info)
        _check_config(info.config)

    async def _make(self, name: str, subject: str, copies: int, **more: Any) -> None:
        wanted = {
            "name": name,
            "subjects": [subject],
            "retention": "limits",
            "storage": "file",
            "num_replicas": copies,
            "discard": "new",
            "allow_direct": True,
            "allow_atomic": True,
            "deny_delete": True,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_age": 0,
            "max_consumers": -1,
            **more,
        }
        try:
            await self.jetstream.info(name)
        except RefusedError as error:
            if error.code != NO_STREAM:
                raise self.refused(error) from error
        else:
            return
        loop, deadline = asyncio.get_running_loop(), self.jetstream.deadline()
        while True:
            try:
                await self.jetstream.manage("CREATE", name, wanted)
            except RefusedError as error:
                if error.code == OTHER_CONFIG:  # somebody else was first, with another identity
                    return
                if error.code == NO_PEERS and loop.time() + _PEERS < deadline:
                    await asyncio.sleep(_PEERS)  # some have just started, and are not known yet
                    continue
                msg = f"JetStream refused to make {name} with {copies} copies: {error}; nothing was made"
                raise StorageError(msg) from error
            return

    async def bump_epoch(self) -> StoreIdentity:
        """Say that the history may have lost its newest events: readers get `PositionAheadError` (FEED-08)."""
        found = await self.info()
        identity = self.identity_of(found)
        raw = await self.jetstream.raw_config(self.stream)
        raw["metadata"][_EPOCH] = str(identity.epoch + 1)
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


def is_led(info: Info) -> bool:
    """Whether who answered as the leader can be nobody else's former one.

    A server that was cut off believes for many seconds that it still leads, and answers from its past. Nobody
    else is elected while a majority has heard from it: a follower waits for at least four seconds of silence.
    """
    peers = info.cluster.replicas
    fresh = sum(not peer.offline and peer.active < FRESH_SECONDS * 1e9 for peer in peers)
    return 2 * (1 + fresh) > 1 + len(peers)


def _check_config(config: Config | None) -> None:
    if config is None or not (config.allow_atomic and config.allow_direct):
        msg = "the store's stream must allow atomic batches and direct gets; set both (nats stream edit), then call initialize() again"
        raise SchemaError(msg)
