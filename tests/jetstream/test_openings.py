"""Stores that cannot be used: too few servers, none made yet, a server too old, none at all."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import urlsplit

import pytest

from mink_core import SchemaError, StorageError, TransientStorageError
from mink_jetstream import AsyncJetStreamEventStore, JetStreamEventStore, connecting
from mink_jetstream.answers import RefusedError
from mink_jetstream.jetstream import NO_PEERS, JetStream
from mink_jetstream.server import EmbeddedServer
from tests.jetstream.made import events


def test_a_store_is_made_once_there_are_servers_enough(url, monkeypatch):
    manage, refused = JetStream.manage, []

    async def few(self, verb, stream, wanted=None):
        if verb == "CREATE" and len(refused) < 2:
            refused.append(stream)
            raise RefusedError(NO_PEERS, "no suitable peers for placement, peer offline")
        await manage(self, verb, stream, wanted)

    monkeypatch.setattr(JetStream, "manage", few)
    with JetStreamEventStore(url) as store:
        store.initialize()
        assert store.append("order-1", events(), expected_version=0).last_version == 1
    assert len(refused) == 2
    refused.clear()
    monkeypatch.setattr("mink_jetstream.making._PEERS", 60.0)
    with (
        JetStreamEventStore(f"{url}_more", timeout=5) as store,
        pytest.raises(StorageError, match=r"1 copies.*nothing was made"),
    ):
        store.initialize()


def test_a_store_that_is_not_there_is_told_at_once(url):
    with JetStreamEventStore(url) as store:
        for use in (
            lambda: store.append("a-1", events(), expected_version=0),
            store.head_position,
            lambda: list(store.read_all()),
        ):
            with pytest.raises(SchemaError, match="initialize"):
                use()


@pytest.mark.parametrize("version", ["2.11.9", "2.12.2"])
def test_an_old_server_is_refused(version):
    """The one passes over the headers of a batch, and stores what must be refused; the other may store a part of it."""

    async def serve(reader, writer):
        info = {
            "server_id": "X",
            "version": version,
            "proto": 1,
            "headers": True,
            "max_payload": 1 << 20,
            "jetstream": True,
        }
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = AsyncJetStreamEventStore(f"nats://127.0.0.1:{port}/shop", timeout=30)
        try:
            with pytest.raises(StorageError, match=rf"{re.escape(version)}.*2\.12\.3"):
                await store.initialize()
        finally:
            await store.close()
            server.close()

    asyncio.run(run())


def test_no_server_is_told_in_time():
    store = JetStreamEventStore("nats://127.0.0.1:1/shop", timeout=0.5)
    with pytest.raises(TransientStorageError, match=r"127\.0\.0\.1:1"):
        store.ping()
    store.close()


def test_a_refused_user_is_told_at_once(url):
    wrong = re.sub(r"//([^:@]*):[^@]*@", r"//\1:wrong@", url)
    assert wrong != url
    with pytest.raises(StorageError, match="refuses the user") as told, JetStreamEventStore(wrong) as refused:
        refused.ping()
    # To try again would be of no use. Once its time is up, it would be that no server can be reached.
    assert not isinstance(told.value, TransientStorageError)
    assert "wrong" not in str(told.value)


def test_another_server_may_take_a_user_that_one_refuses(url):
    with EmbeddedServer.start() as other:  # has another password
        port = urlsplit(other.url).port
        both = url.replace("@", f"@127.0.0.1:{port},", 1)
        for _ in range(5):  # it is drawn which is asked first
            with JetStreamEventStore(both) as store:
                store.ping()


def test_a_refusal_of_a_connection_that_was_made_is_the_client_s_affair(url, monkeypatch):
    """It tries again, in the background, where nobody would be told."""
    told = []

    class Noted(connecting.Client):
        async def connect(self, *args, **options):
            told.append(options["error_cb"])
            await super().connect(*args, **options)

    async def act():
        async with AsyncJetStreamEventStore(url) as store:
            await store.ping()
            for _ in range(3):
                await told[0](ConnectionError("Authorization Violation"))

    monkeypatch.setattr(connecting, "Client", Noted)
    asyncio.run(act())
    assert len(told) == 1
