"""Making a store: its stream and its bucket, where they are not there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mink_core.errors import SchemaError, StorageError
from mink_jetstream.answers import RefusedError
from mink_jetstream.jetstream import NO_PEERS, NO_STREAM, OTHER_CONFIG
from mink_jetstream.place import EPOCH, LAYOUT, LAYOUT_KEY, STORE

if TYPE_CHECKING:
    from mink_jetstream.answers import Config
    from mink_jetstream.place import Place

_PEERS = 0.2
"""Seconds between two tries to make a stream for which there are too few servers."""
_SAFE = 3
"""Copies from which the loss of one server costs nothing."""


async def make(place: Place) -> None:
    """Make what is not there. Safe from several processes at once (LIFE-02)."""
    client = await place.jetstream.connection.client()
    copies = place.options.replicas or (_SAFE if len(client.servers) >= _SAFE else 1)
    metadata = {LAYOUT_KEY: str(LAYOUT), STORE: str(uuid4()), EPOCH: "1"}
    await _make(place, place.stream, place.subjects.every, copies, metadata=metadata, deny_purge=True)
    # A bucket as other clients know it: one message a key. A removed key leaves a mark that goes by itself.
    bucket = {"max_msgs_per_subject": 1, "allow_rollup_hdrs": True, "allow_msg_ttl": True}
    await _make(place, place.bucket, f"$KV.{place.keys.bucket}.>", copies, **bucket)
    info = await place.info()
    place.identity_of(info)
    _check_config(info.config)


async def _make(place: Place, name: str, subject: str, copies: int, **more: Any) -> None:
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
        await place.jetstream.info(name)
    except RefusedError as error:
        if error.code != NO_STREAM:
            raise place.refused(error) from error
    else:
        return
    loop, deadline = asyncio.get_running_loop(), place.jetstream.deadline()
    while True:
        try:
            await place.jetstream.manage("CREATE", name, wanted)
        except RefusedError as error:
            if error.code == OTHER_CONFIG:  # somebody else was first, with another identity
                return
            if error.code == NO_PEERS and loop.time() + _PEERS < deadline:
                await asyncio.sleep(_PEERS)  # some have just started, and are not known yet
                continue
            msg = f"JetStream refused to make {name} with {copies} copies: {error}; nothing was made"
            raise StorageError(msg) from error
        return


def _check_config(config: Config | None) -> None:
    if config is None or not (config.allow_atomic and config.allow_direct):
        msg = "the store's stream must allow atomic batches and direct gets; set both (nats stream edit), then call initialize() again"
        raise SchemaError(msg)
