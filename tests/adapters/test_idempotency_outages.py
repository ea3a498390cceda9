"""The storage fails while a key is reserved, or once its work is done: the work is done once, and the key is not stuck."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import LeaseLostError, OutcomeUnknownError, TransientStorageError, idempotent
from tests.adapters.doors import POSTGRES_DOORS
from tests.adapters.script import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.doors import Door
    from tests.adapters.script import Script

LOST = OutcomeUnknownError("the reply was lost", retry_is_safe=True)
DOWN = TransientStorageError("the storage is down")


class Breaking:
    """A method that fails so many times; the first time, where so told, after it has done what it does."""

    def __init__(self, owner: Any, name: str, error: Exception, *, times: float, after: bool = False) -> None:
        self.called = 0
        self._inner = getattr(owner, name)
        self._error = error
        self._times = times
        self._after = after

    def _fails(self) -> bool:
        self.called += 1
        if self.called <= self._times and not (self._after and self.called == 1):
            raise self._error
        return self.called <= self._times

    def of(self, door: Door) -> Callable[..., Any]:
        def broken(*args: Any, **kwargs: Any) -> Any:
            fails = self._fails()
            done = self._inner(*args, **kwargs)
            if fails:
                raise self._error
            return done

        async def broken_async(*args: Any, **kwargs: Any) -> Any:
            fails = self._fails()
            done = await self._inner(*args, **kwargs)
            if fails:
                raise self._error
            return done

        return broken_async if door.is_async else broken


def worked(script: Script, ran: list[int], **options: Any) -> Callable[[], Any]:
    if inspect.iscoroutinefunction(script.store.ping):

        @idempotent(script.store, key=lambda: "k", **options)
        async def work() -> int:
            ran.append(1)
            return len(ran)

        return work

    @idempotent(script.store, key=lambda: "k", **options)
    def plain() -> int:
        ran.append(1)
        return len(ran)

    return plain


@pytest.mark.parametrize(("error", "after"), [(DOWN, False), (LOST, False), (LOST, True)])
def test_the_response_is_stored_once_the_storage_is_there_again(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception, after: bool
) -> None:
    async def scenario(script: Script) -> None:
        keys = type(script.store.idempotency)
        complete = Breaking(keys, "complete", error, times=2, after=after)
        monkeypatch.setattr(keys, "complete", complete.of(door))
        ran: list[int] = []
        work = worked(script, ran)
        assert await script(work()) == 1
        assert complete.called == 3
        assert (await script(script.store.idempotency.get("k"))).response == 1
        assert (await script(work()), ran) == (1, [1])

    play(door, scenario)


@pytest.mark.parametrize("error", [DOWN, LOST])
def test_an_outage_that_outlasts_the_reservation_is_told_as_work_that_is_done(
    door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The storage says that its own call may be repeated; the work may not."""

    async def scenario(script: Script) -> None:
        keys = type(script.store.idempotency)
        complete = Breaking(keys, "complete", error, times=float("inf"))
        monkeypatch.setattr(keys, "complete", complete.of(door))
        with pytest.raises(OutcomeUnknownError, match="the work is done, but its response may not be stored") as told:
            await script(worked(script, [], ttl=0.3)())
        assert told.value.retry_is_safe is False
        assert told.value.__cause__ is error
        assert complete.called > 1

    play(door, scenario)


def test_a_key_that_is_lost_is_told_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(script: Script) -> None:
        keys = type(script.store.idempotency)
        mine = await script(script.store.idempotency.reserve("other"))
        lost = LeaseLostError("idempotency key k", mine.token)
        complete = Breaking(keys, "complete", lost, times=float("inf"))
        monkeypatch.setattr(keys, "complete", complete.of(door))
        with pytest.raises(LeaseLostError):
            await script(worked(script, [])())
        assert complete.called == 1

    play(door, scenario)


@pytest.mark.parametrize("door", POSTGRES_DOORS, indirect=True)  # memory loses no reply
def test_a_reservation_whose_reply_is_lost_is_given_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows its token: it would stand in everybody's way for `ttl` seconds."""

    async def scenario(script: Script) -> None:
        keys = script.store.idempotency
        with monkeypatch.context() as patched:
            # Three more of the pool's connections were cut with the first.
            run = Breaking(keys, "_run", LOST, times=4, after=True)
            patched.setattr(keys, "_run", run.of(door))
            with pytest.raises(OutcomeUnknownError):
                await script(keys.reserve("k"))
        assert await script(keys.get("k")) is None
        assert (await script(keys.reserve("k"))).is_mine

    play(door, scenario)
