"""The outbox on every door (OUTBOX-01 to OUTBOX-05, TX-01)."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import (
    Capability,
    ConcurrencyError,
    DuplicateMessageError,
    ExpectedVersion,
    LeaseLostError,
    MessageStatus,
    NewEvent,
    OutboxMessage,
    UsageError,
    Verdict,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY


def message(number: int = 0, **fields: Any) -> OutboxMessage:
    return OutboxMessage("orders", {"n": number}, **fields)


async def stored(script: Script) -> list[Any]:
    return [item.payload["n"] for item in await script(script.store.outbox.list())]


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
        with pytest.raises(DuplicateMessageError):
            await script(outbox.add([message(3), replace(one, payload={"n": 1.0})]))
        with pytest.raises(DuplicateMessageError):
            await script(outbox.add([message(3), replace(one, headers={"a": "b"})]))
        assert len(await script(outbox.list())) == 2

        async def both(tx: Any) -> None:
            await script(tx.outbox.add(message(4)))
            assert len(await script(tx.outbox.list())) == 3
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(both)
        assert len(await script(outbox.list())) == 2

    play(door, scenario)


def test_one_worker_at_a_time_fenced_by_token_and_lease(door: Door) -> None:
    """T20: neither a late worker nor one whose lease has passed can say anything about a message."""

    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(n) for n in range(5)]))
        first = await script(outbox.claim("one", limit=3, lease=60))
        assert [item.payload["n"] for item in first] == [0, 1, 2]
        assert [(item.attempts, item.token, item.claimed_by, item.suspect) for item in first] == [
            (1, 1, "one", False)
        ] * 3
        second = await script(outbox.claim("two", limit=3, lease=30))
        assert [item.payload["n"] for item in second] == [3, 4]
        assert await script(outbox.claim("three")) == []
        await script(outbox.complete(first[0]))
        assert (await script(outbox.get(first[0].message_id))).status is MessageStatus.DONE
        with pytest.raises(LeaseLostError):
            await script(outbox.complete(first[0]))
        await script.later(40)
        # The lease has passed, though nobody has claimed it again.
        with pytest.raises(LeaseLostError) as caught:
            await script(outbox.complete(second[0]))
        assert (caught.value.token, str(second[0].message_id) in caught.value.name) == (1, True)
        again = await script(outbox.claim("three"))
        assert [(item.payload["n"], item.suspect, item.attempts, item.token) for item in again] == [(3, True, 2, 2)]
        refused = await script(
            outbox.settle([Verdict(second[0]), Verdict(second[1], "late"), Verdict(first[1]), Verdict(again[0])])
        )
        assert refused == [second[0], second[1]]
        with pytest.raises(LeaseLostError):
            await script(outbox.fail(second[1], "late"))
        statuses = {item.payload["n"]: item.status.value for item in await script(outbox.list())}
        assert statuses == {0: "done", 1: "done", 2: "claimed", 3: "done", 4: "claimed"}

    play(door, scenario)


def test_a_message_that_ends_its_workers_is_a_dead_letter(door: Door) -> None:
    """T20: attempts count at the claim; and it is claimed apart from others, which it would take along."""

    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(n, max_attempts=3) for n in range(4)]))
        assert len(await script(outbox.claim("dies", lease=30))) == 4
        tried = []
        for _ in range(20):
            await script.later(40)
            claimed = await script(outbox.claim("next", lease=30))
            assert len(claimed) <= 1
            for item in claimed:
                assert item.suspect
                tried.append(item.payload["n"])
                if item.payload["n"] != 2:
                    assert await script(outbox.settle([Verdict(item)])) == []
        [dead] = [item for item in await script(outbox.dead_letters()) if item.payload["n"] == 2]
        assert tried.count(2) == 2  # and once in the batch at the beginning
        assert (dead.status, dead.attempts, dead.finished_at is not None) == (MessageStatus.DEAD, 3, True)
        assert "never heard of again" in dead.last_error

    play(door, scenario)


def test_failing_backs_off_then_gives_up_and_stops_no_other(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(1, max_attempts=2), message(2)]))
        bad, good = await script(outbox.claim("w"))
        await script(outbox.fail(bad, "broken \0 pipe"))
        await script(outbox.complete(good))
        waits = await script(outbox.get(bad.message_id))
        assert (waits.status, waits.attempts, waits.last_error) == (MessageStatus.PENDING, 1, "broken ? pipe")
        assert 0.4 < (waits.due_at - waits.created_at).total_seconds() < 30
        assert await script(outbox.claim("w")) == []
        await script.later(30)
        [bad] = await script(outbox.claim("w"))
        assert (bad.attempts, bad.suspect) == (2, False)
        await script(outbox.fail(bad, "still broken"))
        assert await script(outbox.claim("w")) == []
        [dead] = await script(outbox.dead_letters())
        assert (dead.payload, dead.status, dead.last_error) == ({"n": 1}, MessageStatus.DEAD, "still broken")
        assert await script(outbox.requeue(good.message_id)) is False
        assert await script(outbox.requeue(dead.message_id)) is True
        assert await script(outbox.dead_letters()) == []
        [again] = await script(outbox.claim("w"))
        assert (again.attempts, again.token) == (1, 3)
        with pytest.raises(LeaseLostError):
            await script(outbox.complete(bad))
        await script(outbox.fail(again, "no such topic", give_up=True))
        assert (await script(outbox.get(again.message_id))).status is MessageStatus.DEAD

    play(door, scenario)


def test_what_was_not_tried_does_not_count(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add(message(1, max_attempts=1)))
        for token in range(1, 4):
            [claimed] = await script(outbox.claim("w"))
            assert (claimed.attempts, claimed.token, claimed.suspect) == (1, token, False)
            assert await script(outbox.settle([Verdict(claimed, untried=True)])) == []

    play(door, scenario)


def test_order_is_kept_per_stream_where_asked(door: Door) -> None:
    """A failing message holds back its own stream only; a dead letter lets it go on."""

    async def scenario(script: Script) -> None:
        outbox = script.store.outbox

        async def claimed() -> dict[int, Any]:
            return {item.payload["n"]: item for item in await script(outbox.claim("w"))}

        await script(
            outbox.add(
                [
                    *(message(n, stream_id="a-1", ordered=True, max_attempts=2) for n in (11, 12, 13)),
                    *(message(n, stream_id="b-1", ordered=True) for n in (21, 22)),
                    message(14, stream_id="a-1"),
                ]
            )
        )
        got = await claimed()
        assert sorted(got) == [11, 14, 21]
        await script(outbox.complete(got[21]))
        await script(outbox.fail(got[11], "broken", retry_in=15))
        got = await claimed()
        assert sorted(got) == [22]
        await script(outbox.complete(got[22]))
        await script.later(20)
        got = await claimed()
        assert sorted(got) == [11]
        assert await claimed() == {}
        await script(outbox.fail(got[11], "broken"))
        got = await claimed()
        assert sorted(got) == [12]
        await script(outbox.complete(got[12]))
        assert sorted(await claimed()) == [13]

    play(door, scenario)


def test_due_after_its_delay_by_the_servers_clock(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(1, delay=15), message(2)]))
        assert [item.payload["n"] for item in await script(outbox.claim("w"))] == [2]
        await script.later(20)
        assert [item.payload["n"] for item in await script(outbox.claim("w"))] == [1]

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


def test_what_an_open_transaction_holds_is_left_out_not_waited_for(door: Door) -> None:
    async def scenario(script: Script) -> None:
        outbox = script.store.outbox
        await script(outbox.add([message(n) for n in range(3)]))

        async def claims(tx: Any) -> None:
            held = await script(tx.outbox.claim("inside", limit=2))
            assert [item.payload["n"] for item in held] == [0, 1]
            outside = await asyncio.wait_for(asyncio.ensure_future(script(outbox.claim("outside"))), 60)
            assert [item.payload["n"] for item in outside] == [2]
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(claims)
        again = await script(outbox.claim("after"))
        assert [(item.payload["n"], item.attempts) for item in again] == [(0, 1), (1, 1)]

    play(door, scenario)
