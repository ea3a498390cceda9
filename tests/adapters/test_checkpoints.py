"""Checkpoints by compare-and-set, on every door (SUB-08, TX-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    Capability,
    CheckpointConflictError,
    ExpectedVersion,
    Lease,
    LeaseLostError,
    NewEvent,
    StoreIdentity,
    UsageError,
)
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def test_none_is_not_zero_and_only_the_expected_one_is_moved(door: Door) -> None:
    async def scenario(script: Script) -> None:
        assert Capability.CHECKPOINTS in script.store.capabilities
        checkpoints = script.store.checkpoints
        assert await script(checkpoints.load("a")) is None
        with pytest.raises(CheckpointConflictError) as caught:
            await script(checkpoints.save("a", 5, expected=0))
        assert (caught.value.name, caught.value.expected, caught.value.actual) == ("a", 0, None)
        await script(checkpoints.save("a", 0, expected=None))
        assert (await script(checkpoints.load("a"))).position == 0
        with pytest.raises(CheckpointConflictError) as caught:
            await script(checkpoints.save("a", 7, expected=None))
        assert (caught.value.expected, caught.value.actual) == (None, 0)
        await script(checkpoints.save("a", 7, expected=0))
        await script(checkpoints.save("a", 7, expected=7))
        with pytest.raises(CheckpointConflictError):
            await script(checkpoints.save("a", 9, expected=8))
        saved = await script(checkpoints.load("a"))
        assert (saved.name, saved.position) == ("a", 7)
        assert saved.identity == await script(script.store.identity())
        assert saved.updated_at.utcoffset().total_seconds() == 0
        await script(checkpoints.save("Z", 1, expected=None))
        assert [(item.name, item.position) for item in await script(checkpoints.list())] == [("Z", 1), ("a", 7)]

    play(door, scenario)


def test_back_only_on_purpose(door: Door) -> None:
    async def scenario(script: Script) -> None:
        checkpoints = script.store.checkpoints
        await script(checkpoints.save("a", 9, expected=None))
        with pytest.raises(UsageError, match="reset"):
            await script(checkpoints.save("a", 3, expected=9))
        await script(checkpoints.reset("a", 3))
        assert (await script(checkpoints.load("a"))).position == 3
        with pytest.raises(CheckpointConflictError):
            await script(checkpoints.save("a", 10, expected=9))
        await script(checkpoints.reset("a"))
        assert await script(checkpoints.load("a")) is None
        await script(checkpoints.reset("never"))
        await script(checkpoints.reset("b", 4))
        assert [item.name for item in await script(checkpoints.list())] == ["b"]

    play(door, scenario)


def test_the_history_stays_with_the_position(door: Door) -> None:
    """FEED-08: a checkpoint says which epoch it is from, until it is reset on purpose."""

    async def scenario(script: Script) -> None:
        checkpoints = script.store.checkpoints
        first = await script(script.store.identity())
        await script(checkpoints.save("kept", 1, expected=None))
        await script(checkpoints.save("given", 1, expected=None, identity=first))
        second = await script(script.store.bump_epoch())
        await script(checkpoints.save("kept", 2, expected=1))
        await script(checkpoints.save("given", 2, expected=1, identity=second))
        assert (await script(checkpoints.load("kept"))).identity == first
        assert (await script(checkpoints.load("given"))).identity == second
        await script(checkpoints.reset("kept", 2))
        assert (await script(checkpoints.load("kept"))).identity == second
        assert second == StoreIdentity(first.store, first.epoch + 1)

    play(door, scenario)


def test_committed_with_the_transaction_or_not_at_all(door: Door) -> None:
    async def scenario(script: Script) -> None:
        store = script.store

        async def work(tx: Any, *, fails: bool) -> None:
            await script(tx.append("a-1", [NewEvent("Made", {})], expected_version=ExpectedVersion.ANY))
            await script(tx.checkpoints.save("a", 1, expected=None))
            # A refusal leaves the transaction usable (TX-03).
            with pytest.raises(CheckpointConflictError):
                await script(tx.checkpoints.save("a", 2, expected=None))
            assert (await script(tx.checkpoints.load("a"))).position == 1
            assert await script(store.checkpoints.load("a")) is None
            assert [item.name for item in await script(tx.checkpoints.list())] == ["a"]
            if fails:
                raise KeyError

        with pytest.raises(KeyError):
            await script.in_transaction(lambda tx: work(tx, fails=True))
        assert await script(store.checkpoints.load("a")) is None
        await script.in_transaction(lambda tx: work(tx, fails=False))
        assert (await script(store.checkpoints.load("a"))).position == 1

    play(door, scenario)


def test_a_lease_that_never_was_is_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        with pytest.raises(LeaseLostError) as caught:
            await script(script.store.checkpoints.save("a", 1, expected=None, lease=Lease("a", 0, 1)))
        assert (caught.value.name, caught.value.token) == ("a", 1)
        assert await script(script.store.checkpoints.load("a")) is None

    play(door, scenario)


WRONG: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "n" * 256},
    {"name": "a\n"},
    {"name": None},
    {"position": -1},
    {"position": True},
    {"position": 2**63},
    {"expected": -1},
    {"expected": 1.0},
    {"identity": "x"},
    {"lease": "x"},
]


def test_wrong_arguments_are_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        for arguments in WRONG:
            given = {"name": "a", "position": 1, "expected": None, **arguments}
            with pytest.raises(UsageError):
                await script(script.store.checkpoints.save(given.pop("name"), given.pop("position"), **given))

    play(door, scenario)
