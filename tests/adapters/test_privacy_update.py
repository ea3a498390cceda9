"""`update` on streams whose newest events were purged, on every door: that is no conflict, and nothing else is taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent
from tests.adapters.rewriting import WHO, made
from tests.adapters.script import play

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.adapters.doors import Door
    from tests.adapters.script import Script

ANY = ExpectedVersion.ANY


class Updates:
    """Updates of one stream; what each time was read, and what is to happen before a round's append."""

    def __init__(self, script: Script, retries: int) -> None:
        self.script, self.retries = script, retries
        self.seen: list[list[int]] = []
        self.meanwhile: list[Callable[[Any], Any]] = []

    async def first_version(self) -> int:
        decide = self._decide if hasattr(self.script.store, "__aenter__") else self._decide_at_once
        done = await self.script(self.script.store.update("a-1", decide, retries=self.retries))
        return int(done.first_version)

    def _decide_at_once(self, events: list[Any]) -> list[NewEvent]:
        self.seen.append([event.version for event in events])
        if self.meanwhile:
            self.meanwhile.pop(0)(self.script.store)
        return made(9)

    async def _decide(self, events: list[Any]) -> list[NewEvent]:
        self.seen.append([event.version for event in events])
        if self.meanwhile:
            await self.meanwhile.pop(0)(self.script.store)
        return made(9)


def updating(retries: int) -> Callable[[Callable[[Updates], Awaitable[None]]], Callable[[Script], Awaitable[None]]]:
    """Of a stream whose three events were purged."""

    def scenario(work: Callable[[Updates], Awaitable[None]]) -> Callable[[Script], Awaitable[None]]:
        async def purged(script: Script) -> None:
            await script(script.store.append("a-1", made(1, 2, 3), expected_version=0))
            await script(script.store.privacy.purge("a-1", **WHO))
            await work(Updates(script, retries))

        return purged

    return scenario


def somebody_appends(store: Any) -> Any:
    return store.append("a-1", made(1), expected_version=ANY)


def somebody_deletes(store: Any) -> Any:
    return store.privacy.soft_delete("a-1", **WHO)


@pytest.mark.parametrize("retries", [0, 5])
def test_it_goes_on(door: Door, retries: int) -> None:
    @updating(retries)
    async def scenario(updates: Updates) -> None:
        privacy, script = updates.script.store.privacy, updates.script
        assert await updates.first_version() == 4
        assert await updates.first_version() == 5
        assert updates.seen == [[], [], [4]]
        await script(privacy.soft_delete("a-1", **WHO))
        assert await updates.first_version() == 6
        await script(privacy.purge("a-1", **WHO))
        await script(privacy.soft_delete("a-1", **WHO))
        assert await updates.first_version() == 7

    play(door, scenario, privacy=True)


@pytest.mark.parametrize("retries", [0, 5])
def test_whom_others_are_first_is_told_so_once_the_retries_are_used_up(door: Door, retries: int) -> None:
    @updating(retries)
    async def scenario(updates: Updates) -> None:
        updates.meanwhile = [somebody_appends] * (retries + 1)
        with pytest.raises(ConcurrencyError):
            await updates.first_version()
        assert [len(versions) for versions in updates.seen] == list(range(retries + 1))

    play(door, scenario, privacy=True)


def test_a_stream_that_is_deleted_once_the_purge_was_seen_is_a_new_one(door: Door) -> None:
    @updating(1)
    async def scenario(updates: Updates) -> None:
        updates.meanwhile = [lambda store: store.head_position(), somebody_deletes]
        assert await updates.first_version() == 4
        assert updates.seen == [[], [], []]

    play(door, scenario, privacy=True)


def test_who_appends_between_the_read_and_the_look_is_first(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """What he appended is not passed over, as though it had been purged, too."""

    @updating(2)
    async def scenario(updates: Updates) -> None:
        store = updates.script.store
        look = store.stream_info

        async def beside(stream_id: str) -> Any:
            await somebody_appends(store)
            return await look(stream_id)

        def beside_at_once(stream_id: str) -> Any:
            somebody_appends(store)
            return look(stream_id)

        monkeypatch.setattr(store, "stream_info", beside if hasattr(store, "__aenter__") else beside_at_once)
        assert await updates.first_version() == 5
        assert updates.seen == [[], [], [4]]

    play(door, scenario, privacy=True)
