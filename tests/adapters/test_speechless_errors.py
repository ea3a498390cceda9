"""Errors of handlers, publishers and transforms whose own `__str__` raises: they are what failed, as any other error is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    AsyncOutboxRelay,
    CallablePublisher,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    OutboxRelay,
    RetryPolicy,
    StoredEvent,
    UnreadableEventError,
    WhenExhausted,
    open_async_store,
    open_store,
)
from tests.adapters.following import ANY, caught_up, put, taking, until
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

SAID = "SpeechlessError: its __str__ raised AttributeError"


class SpeechlessError(Exception):
    """As one that formats an attribute which its maker has not set."""

    def __str__(self) -> str:
        return f"order {self.order_id} failed"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("transactional", [False, True])
def test_its_event_is_parked(door: Door, transactional: bool) -> None:
    async def scenario(script: Script) -> None:
        seen: list[int] = []

        def work(event: Any, *_: Any) -> None:
            if event.version == 2:
                raise SpeechlessError
            seen.append(event.version)

        await put(script, 3)
        never = RetryPolicy(retries=0, then=WhenExhausted.PARK)
        worker = script.store.subscription("s", taking(script, work), transactional=transactional, retry=never)
        await script(worker.start())
        await until(lambda: caught_up(script))
        await script(worker.close())
        assert sorted(set(seen)) == [1, 3]
        [parked] = await script(script.store.parked.list("s"))
        assert (parked.version, parked.error) == (2, SAID)

    play(door, scenario)


def test_its_message_alone_has_failed() -> None:
    published: list[int] = []

    def send(message: Any) -> None:
        if message.payload["n"] == 2:
            raise SpeechlessError
        published.append(message.payload["n"])

    with open_store("memory://") as store:
        store.outbox.add([OutboxMessage("orders", {"n": n}) for n in (1, 2, 3)])
        relay = OutboxRelay(store, CallablePublisher(send))
        assert relay.run_once() == 3
        assert (relay.counts.published, relay.counts.failed, published) == (2, 1, [1, 3])
        [failed] = store.outbox.list(status=MessageStatus.PENDING)
        assert failed.last_error == SAID


def test_so_it_is_of_a_whole_publish() -> None:
    class Speechless:
        async def publish(self, _messages: Any) -> Any:
            raise SpeechlessError

    async def scenario() -> None:
        async with open_async_store("memory://") as store:
            await store.outbox.add([OutboxMessage("orders", {"n": n}) for n in (1, 2)])
            relay = AsyncOutboxRelay(store, Speechless())
            assert await relay.run_once() == 2
            assert (relay.counts.published, relay.counts.failed) == (0, 2)

    asyncio.run(scenario())


def test_its_event_cannot_be_read() -> None:
    class Broken:
        def outgoing(self, _stream_id: str, event: NewEvent) -> NewEvent:
            return event

        def incoming(self, _event: StoredEvent) -> StoredEvent:
            raise SpeechlessError

    with open_store("memory://", transforms=[Broken()]) as store:
        store.append("a-1", [NewEvent("Made", {})], expected_version=ANY)
        with pytest.raises(UnreadableEventError, match=f"raised {SAID}; nothing"):
            list(store.read_stream("a-1"))
