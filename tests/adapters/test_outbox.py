"""Messages into the outbox on every door: with an append, alone, refused, listed and deleted (OUTBOX-01, TX-01)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    Capability,
    ConcurrencyError,
    DuplicateMessageError,
    ExpectedVersion,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    UsageError,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.messages import message, stored

ANY = ExpectedVersion.ANY


@pytest.mark.parametrize("unique", [False, True])
def test_messages_are_stored_with_the_append_or_not_at_all(door: Door, unique: bool) -> None:
    async def scenario(script: Script) -> None:
        store = script.store
        assert Capability.OUTBOX in store.capabilities
        event, second = NewEvent("Made", 1), NewEvent("Made", 2)
        one, two = message(1), message(2, event_id=second.event_id)
        await script(store.append("a-1", [event, second], expected_version=0, outbox=[one, two]))
        assert await stored(script) == [1, 2]
        with pytest.raises(ConcurrencyError):
            await script(store.append("a-1", [NewEvent("Made", 3)], expected_version=0, outbox=[message(3)]))
        assert await stored(script) == [1, 2]
        # A message id that is known refuses the append, before it writes anything.
        with pytest.raises(DuplicateMessageError) as caught:
            await script(store.append("a-1", [NewEvent("Made", 3)], expected_version=2, outbox=[message(3), one]))
        assert caught.value.message_id == one.message_id
        assert await stored(script) == [1, 2]
        assert (await script(store.stream_info("a-1"))).version == 2
        # But the repeat of the call that stored it gets the first one's result, and stores nothing.
        again = await script(store.append("a-1", [event, second], expected_version=0, outbox=[one, two]))
        assert (again.first_version, again.last_version) == (1, 2)
        await script(store.append("a-1", [event, second], expected_version=0, outbox=[message(9)]))
        assert await stored(script) == [1, 2]
        await script(store.append("a-1", [NewEvent("Made", 3)], expected_version=ANY, outbox=message(3)))
        await script(store.append("a-1", [NewEvent("Made", 4)], expected_version=ANY, outbox=[]))
        assert await stored(script) == [1, 2, 3]

        async def refused_inside(tx: Any) -> None:
            await script(tx.append("b-1", [NewEvent("Made", 1)], expected_version=0, outbox=[message(4)]))
            with pytest.raises(DuplicateMessageError):
                await script(tx.append("b-1", [NewEvent("Made", 2)], expected_version=1, outbox=[message(5), one]))
            with pytest.raises(DuplicateMessageError):
                await script(tx.append("c-1", [NewEvent("Made", 2)], expected_version=ANY, outbox=[one]))
            await script(tx.append("b-1", [NewEvent("Made", 3)], expected_version=1, outbox=[message(6)]))

        await script.in_transaction(refused_inside)
        assert await stored(script) == [1, 2, 3, 4, 6]
        assert (await script(store.stream_info("b-1"))).version == 2

    play(door, scenario, unique_event_ids=unique)


def test_ids_travel_with_the_message_whichever_way_it_was_stored(door: Door) -> None:
    """T9, T21: the longest stream id is accepted, and the header for deduplication is on both ways."""

    async def scenario(script: Script) -> None:
        stream = "order-" + "é" * 494
        event = NewEvent("Made", 1)
        with_append = message(1, headers={"x": "y"}, ordered=True)
        await script(script.store.append(stream, [event], expected_version=0, outbox=[with_append]))
        alone = message(2, headers={"x": "y"}, stream_id=stream, event_id=event.event_id, ordered=True)
        await script(script.store.outbox.add(alone))
        for sent in (with_append, alone):
            found = await script(script.store.outbox.get(sent.message_id))
            assert found.headers == {
                "x": "y",
                "message-id": str(sent.message_id),
                "event-id": str(event.event_id),
            }
            assert (found.stream_id, found.event_id, found.ordered) == (stream, event.event_id, True)
            assert (found.status, found.attempts, found.destination) == (MessageStatus.PENDING, 0, "orders")
        [claimed] = await script(script.store.outbox.claim("w"))
        assert claimed.headers["event-id"] == str(event.event_id)
        await script(script.store.outbox.complete(claimed))
        [claimed] = await script(script.store.outbox.claim("w"))
        assert claimed.headers["event-id"] == str(event.event_id)
        assert await script(script.store.outbox.get(uuid.uuid4())) is None

    play(door, scenario)


def test_adding_by_itself_is_all_or_nothing_and_repeatable(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        one, two = message(1), OutboxMessage("orders", {"n": 1e16, "i": 10**16, "f": 1.0, "l": [None, True, "é"]})
        await script(outbox.add([one, two]))
        await script(outbox.add([one, two]))
        found = await script(outbox.get(two.message_id))
        assert {k: repr(v) for k, v in found.payload.items()} == {k: repr(v) for k, v in two.payload.items()}
        # Neither the order of keys nor the sign of 0.0 makes another message (JSON-03).
        three = OutboxMessage("orders", {"a": 1, "b": 0.0}, {"x": "1", "y": "2"})
        await script(outbox.add(three))
        await script(outbox.add(replace(three, payload={"b": -0.0, "a": 1}, headers={"y": "2", "x": "1"})))
        with pytest.raises(DuplicateMessageError):
            await script(outbox.add([message(3), replace(one, payload={"n": 1.0})]))
        with pytest.raises(DuplicateMessageError):
            await script(outbox.add([message(3), replace(one, headers={"a": "b"})]))
        assert len(await script(outbox.list())) == 3

        async def both(tx: Any) -> None:
            await script(tx.outbox.add(message(4)))
            assert len(await script(tx.outbox.list())) == 4
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(both)
        assert len(await script(outbox.list())) == 3

    play(door, scenario)


def test_retention_deletes_only_what_is_finished_and_old(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(n) for n in range(6)]))
        claimed = await script(outbox.claim("w", limit=4))
        for item in claimed[:3]:
            await script(outbox.complete(item))
        await script(outbox.fail(claimed[3], "no", give_up=True))
        assert await script(outbox.purge(older_than=60)) == 0
        assert await script(outbox.purge(older_than=0, limit=2)) == 2
        assert await script(outbox.purge(older_than=0)) == 1
        assert await stored(script) == [3, 4, 5]
        assert await script(outbox.purge(older_than=0, dead=True)) == 1
        assert await stored(script) == [4, 5]
        for wrong in ({"older_than": -1}, {"older_than": None}, {"older_than": 1, "dead": "yes"}):
            with pytest.raises(UsageError):
                await script(outbox.purge(**wrong))

    play(door, scenario)


def test_paging(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(n) for n in range(5)]))
        page = await script(outbox.list(limit=2))
        assert [item.payload["n"] for item in page] == [0, 1]
        page = await script(outbox.list(after=page[-1].position, limit=2, status=MessageStatus.PENDING))
        assert [item.payload["n"] for item in page] == [2, 3]
        assert await script(outbox.list(limit=0)) == []
        assert await script(outbox.list(status=MessageStatus.DONE)) == []

    play(door, scenario)


@pytest.mark.parametrize(
    "bad",
    [
        "text",
        [OutboxMessage("", {})],
        [OutboxMessage("x" * 501, {})],
        [OutboxMessage("a", {"x": {1, 2}})],
        [OutboxMessage("a", {}, {"n": 1})],  # type: ignore[dict-item]
        [OutboxMessage("a", {}, message_id="1")],  # type: ignore[arg-type]
        [OutboxMessage("a", {}, ordered=True)],
        [OutboxMessage("a", {}, stream_id="-a")],
        [OutboxMessage("a", {}, delay=-1)],
        [OutboxMessage("a", {}, delay=float("nan"))],
        [OutboxMessage("a", {}, max_attempts=0)],
        [OutboxMessage("a", {}, message_id=uuid.UUID(int=1)), OutboxMessage("b", {}, message_id=uuid.UUID(int=1))],
    ],
)
def test_bad_input_is_refused_before_the_append(door: Door, bad: Any) -> None:
    """T22: a message that cannot be stored stops its append; it is never left out of it in silence."""

    async def scenario(script: Script) -> None:
        with pytest.raises(UsageError):
            await script(script.store.outbox.add(bad))
        if bad[0] != OutboxMessage("a", {}, ordered=True, message_id=getattr(bad[0], "message_id", None)):
            with pytest.raises(UsageError):
                await script(script.store.append("a-1", [NewEvent("Made", 1)], expected_version=0, outbox=bad))
        with pytest.raises(UsageError):
            await script(
                script.store.append(
                    "a-1", [NewEvent("Made", 1)], expected_version=0, outbox=message(event_id=uuid.uuid4())
                )
            )
        assert await script(script.store.outbox.list()) == []
        assert await script(script.store.head_position()) == 0

    play(door, scenario)
