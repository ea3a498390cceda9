"""Messages out of the outbox on every door: claims, leases, tries, order and delays (OUTBOX-02 to OUTBOX-05)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import LeaseLostError, MessageStatus, Verdict
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


from tests.adapters.messages import message


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
            # At once, whatever else the verdict says.
            verdict = Verdict(claimed, ["no", None, None, "no"][token], [None, 60, 60, None][token], untried=True)
            assert await script(outbox.settle([verdict])) == []
            assert (await script(outbox.get(claimed.message_id))).last_error is None

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
