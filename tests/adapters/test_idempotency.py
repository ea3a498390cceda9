"""Idempotency keys on every door (IDEM-01 to IDEM-03, TX-01)."""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import Capability, KeyBusyError, LeaseLostError, NewEvent, TransientStorageError, UsageError, idempotent
from tests.adapters.doors import together, together_async
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script

CALLERS = 64
JSON = {"int": 1, "float": 1.0, "big": 1e16, "list": [None, True, "é"], "text": "not json {"}


def typed(value: Any) -> Any:
    return {key: repr(item) for key, item in value.items()} if isinstance(value, dict) else repr(value)


def test_every_field_comes_back(door: Door) -> None:
    """T24: nothing is dropped or turned into NULL, whatever JSON the response is."""

    async def scenario(script: Script) -> None:
        assert Capability.IDEMPOTENCY in script.store.capabilities
        keys = script.store.idempotency
        assert await script(keys.get("k")) is None
        mine = await script(keys.reserve("k", stream_id="order-1", metadata=JSON, ttl=60))
        assert mine.is_mine
        assert (mine.record.key, mine.record.completed, mine.record.response) == ("k", False, None)
        other = await script(keys.reserve("k", metadata={"x": 1}))
        assert (other.is_mine, other.token, other.record) == (False, None, mine.record)
        assert (other.record.stream_id, typed(other.record.metadata)) == ("order-1", typed(JSON))
        assert 59 < (mine.record.expires_at - mine.record.reserved_at).total_seconds() < 61
        done = await script(keys.complete(mine, JSON, ttl=120))
        assert (done.completed, typed(done.response), done.stream_id, typed(done.metadata)) == (
            True, typed(JSON), "order-1", typed(JSON))  # fmt: skip
        assert 119 < (done.expires_at - done.completed_at).total_seconds() < 121
        assert await script(keys.get("k")) == done
        late = await script(keys.reserve("k"))
        assert (late.is_mine, late.record) == (False, done)
        for response in (None, "text", 0, False, [], 1.5):
            mine = await script(keys.reserve(f"k-{response!r}"))
            assert repr((await script(keys.complete(mine, response))).response) == repr(response)
            assert repr((await script(keys.get(f"k-{response!r}"))).response) == repr(response)

    play(door, scenario)


def test_only_its_owner_completes_or_releases_and_only_in_time(door: Door) -> None:
    """T24: an expired holder neither completes nor releases what is somebody else's by now."""

    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        first = await script(keys.reserve("k", ttl=30))
        await script.later(40)
        assert await script(keys.get("k")) is None
        for call in (lambda: keys.complete(first, 1), lambda: keys.release(first)):
            with pytest.raises(LeaseLostError):  # expired, though nobody has taken it
                await script(call())
        second = await script(keys.reserve("k"))
        assert second.is_mine
        for call in (lambda: keys.complete(first, 1), lambda: keys.release(first)):
            with pytest.raises(LeaseLostError) as caught:
                await script(call())
        assert caught.value.token == first.token
        assert (await script(keys.get("k"))) == second.record
        with pytest.raises(UsageError):
            await script(keys.release(await script(keys.reserve("k"))))
        await script(keys.release(second))
        assert await script(keys.get("k")) is None
        third = await script(keys.reserve("k"))
        done = await script(keys.complete(third, {"n": 1, "m": 0.0}))
        # The repeat of a call whose reply was lost says the same; another response is refused.
        for same in ({"n": 1, "m": 0.0}, {"m": -0.0, "n": 1}):
            assert (await script(keys.complete(third, same))).response == done.response
        for call in (lambda: keys.complete(third, {"n": 1.0, "m": 0.0}), lambda: keys.release(third)):
            with pytest.raises(LeaseLostError):
                await script(call())
        assert (await script(keys.get("k"))).response == {"n": 1, "m": 0.0}

    play(door, scenario)


def test_purge_deletes_what_has_expired_and_only_that(door: Door) -> None:
    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        for number in range(5):
            await script(keys.reserve(f"old-{number}", ttl=30))
        done = await script(keys.reserve("kept"))
        await script(keys.complete(done, "x"))
        await script(keys.reserve("held"))
        assert await script(keys.purge()) == 0
        await script.later(40)
        assert await script(keys.purge(limit=0)) == 0
        while await script(keys.purge(limit=2)):
            pass
        assert (await script(keys.get("kept"))).response == "x"
        assert not (await script(keys.get("held"))).completed
        assert (await script(keys.reserve("old-1"))).is_mine

    play(door, scenario)


def test_the_waiting_caller_gets_the_first_one_s_response(door: Door) -> None:
    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        is_async = inspect.iscoroutinefunction(script.store.ping)

        async def later(work: Any, seconds: float) -> Any:
            await asyncio.sleep(seconds)
            return await work() if is_async else await asyncio.to_thread(work)

        async def waits(seconds: float) -> Any:
            reserve = partial(keys.reserve, "k", wait=seconds)
            return await reserve() if is_async else await asyncio.to_thread(reserve)

        mine = await script(keys.reserve("k"))
        waited, _ = await asyncio.gather(waits(60), later(partial(keys.complete, mine, "r", ttl=30), 0.1))
        assert (waited.is_mine, waited.record.response) == (False, "r")
        await script.later(40)
        mine = await script(keys.reserve("k"))
        waited, _ = await asyncio.gather(waits(60), later(partial(keys.release, mine), 0.1))
        assert waited.is_mine  # the first has given up: the waiting caller does the work
        waited = await waits(0.1)
        assert (waited.is_mine, waited.record.completed) == (False, False)

    play(door, scenario)


def test_of_64_callers_one_runs_and_all_get_its_response(door: Door) -> None:
    runs: list[str] = []

    def sync(store: Any) -> list[object]:
        @idempotent(store, key=lambda name: f"pay-{name}")
        def pay(name: str) -> dict[str, Any]:
            runs.append(name)
            threading.Event().wait(0.1)
            return {"receipt": str(uuid.uuid4())}

        return together([lambda: pay("x")] * CALLERS)

    async def awaited(store: Any) -> list[object]:
        @idempotent(store, key=lambda name: f"pay-{name}")
        async def pay(name: str) -> dict[str, Any]:
            runs.append(name)
            await asyncio.sleep(0.1)
            return {"receipt": str(uuid.uuid4())}

        return await together_async([lambda: pay("x")] * CALLERS)

    results = door.run(awaited if door.is_async else sync)
    assert runs == ["x"]
    assert len(results) == CALLERS
    assert isinstance(results[0], dict)
    assert all(result == results[0] for result in results), results


def test_work_that_raises_gives_the_key_back(door: Door) -> None:
    async def scenario(script: Script) -> None:
        attempts: list[int] = []

        def work(number: int) -> int:
            attempts.append(number)
            if len(attempts) == 1:
                raise ZeroDivisionError
            return number

        if inspect.iscoroutinefunction(script.store.ping):

            @idempotent(script.store, key=lambda number: "k", wait=0.05)
            async def once(number: int) -> int:
                return work(number)
        else:
            once = idempotent(script.store, key=lambda number: "k", wait=0.05)(work)  # type: ignore[assignment]

        with pytest.raises(ZeroDivisionError):
            await script(once(1))
        assert [await script(once(2)), await script(once(3))] == [2, 2]
        assert attempts == [1, 2]
        held = await script(script.store.idempotency.reserve("busy"))
        assert held.is_mine
        busy = idempotent(script.store, key=lambda: "busy", wait=0.05)
        with pytest.raises(KeyBusyError):
            await script(busy(once.__wrapped__)())  # type: ignore[attr-defined]

    play(door, scenario)


def test_what_the_work_raised_is_told_though_the_key_cannot_be_given_back(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(script: Script) -> None:
        def down(*_: Any) -> None:
            raise TransientStorageError("the storage is down as well")

        def work() -> None:
            raise ZeroDivisionError

        keys = script.store.idempotency
        monkeypatch.setattr(type(keys), "release", down)
        if door.is_async:

            @idempotent(script.store, key=lambda: "k")
            async def once() -> None:
                work()
        else:
            once = idempotent(script.store, key=lambda: "k")(work)  # type: ignore[assignment]
        with pytest.raises(ZeroDivisionError):
            await script(once())

    play(door, scenario)


def test_with_an_append_in_one_transaction(door: Door) -> None:
    async def scenario(script: Script) -> None:
        async def work(tx: Any, *, fail: bool) -> None:
            mine = await script(tx.idempotency.reserve("k"))
            assert mine.is_mine
            await script(tx.append("a-1", [NewEvent("Made", 1)], expected_version=0))
            await script(tx.idempotency.complete(mine, {"version": 1}))
            if fail:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(partial(work, fail=True))
        assert await script(script.store.idempotency.get("k")) is None
        await script.in_transaction(partial(work, fail=False))
        assert (await script(script.store.idempotency.reserve("k"))).record.response == {"version": 1}

    play(door, scenario)


def test_a_second_caller_waits_for_the_first_one_s_transaction(door: Door) -> None:
    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        is_async = inspect.iscoroutinefunction(script.store.ping)

        async def work(tx: Any) -> None:
            mine = await script(tx.idempotency.reserve("k"))
            reserve = partial(keys.reserve, "k")
            second = asyncio.create_task(reserve() if is_async else asyncio.to_thread(reserve))
            waiting.append(second)
            await asyncio.sleep(0.2)
            assert not second.done()
            await script(tx.idempotency.complete(mine, "done"))

        waiting: list[Any] = []
        await script.in_transaction(work)
        answer = await waiting[0]
        assert (answer.is_mine, answer.record.response) == (False, "done")

    play(door, scenario)


def test_bad_input_is_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        wrong: list[Any] = [
            lambda: keys.reserve(""),
            lambda: keys.reserve("x" * 501),
            lambda: keys.reserve("k", ttl=0),
            lambda: keys.reserve("k", wait=-1),
            lambda: keys.reserve("k", metadata=[1]),
            lambda: keys.reserve("k", stream_id="-a"),
            lambda: keys.complete("k", 1),
            lambda: keys.purge(limit=-1),
        ]
        for call in wrong:
            with pytest.raises(UsageError):
                await script(call())
        mine = await script(keys.reserve("k"))
        with pytest.raises(UsageError):
            await script(keys.complete(mine, {1, 2}))
        await script(keys.complete(mine, 1))

    play(door, scenario)
