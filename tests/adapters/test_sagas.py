"""Sagas on every door (SAGA-01 to SAGA-03, TX-01)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from mink_core import Capability, NewEvent, Saga, SagaConflictError, SagaStatus, StoredSaga, UsageError
from mink_core.sagas import MAX_HANDLED
from tests.adapters.doors import race
from tests.adapters.script import play

if TYPE_CHECKING:
    from tests.adapters.doors import Door
    from tests.adapters.script import Script


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_every_field_comes_back_with_its_type(door: Door) -> None:
    """T25: ints stay ints; the times are the server's."""

    async def scenario(script: Script) -> None:
        assert Capability.SAGAS in script.store.capabilities
        sagas = script.store.sagas
        assert await script(sagas.load("s-1")) is None
        given = Saga(
            "s-1",
            "Shipping",
            {"n": 1, "f": 1.0, "b": 1e16, "l": [None, True]},
            SagaStatus.COMPENSATING,
            "order-1",
            datetime(2999, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            tuple(uuid.uuid4() for _ in range(3)),
        )
        saved = await script(sagas.save(given, expected_version=0))
        assert isinstance(saved, StoredSaga)
        assert (saved.version, saved.claims) == (1, 0)
        found = await script(sagas.load("s-1"))
        assert found == saved
        assert {k: repr(v) for k, v in found.state.items()} == {k: repr(v) for k, v in given.state.items()}
        for name in ("saga_id", "saga_type", "status", "correlation_id", "due_at", "handled"):
            assert getattr(found, name) == getattr(given, name), name
        assert all(type(event_id) is uuid.UUID for event_id in found.handled)
        assert found.created_at == found.updated_at
        changed = await script(sagas.save(replace(found, status=SagaStatus.COMPLETED, due_at=None), expected_version=1))
        assert (changed.version, changed.due_at, changed.created_at) == (2, None, found.created_at)
        assert changed.updated_at >= found.updated_at
        assert await script(sagas.load("s-1")) == changed

    play(door, scenario)


def test_a_due_time_is_one_that_can_be_read_back(door: Door) -> None:
    """In UTC, where the first and the last hours of what Python knows may be of another year."""

    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        east, west = timezone(timedelta(hours=1)), timezone(timedelta(hours=-1))
        for name, moment in (("early", datetime.min.replace(tzinfo=east)), ("late", datetime.max.replace(tzinfo=west))):
            with pytest.raises(UsageError, match="within the years 1 to 9999 of UTC"):
                await script(sagas.save(Saga(name, "T", due_at=moment), expected_version=0))
        saved = await script(sagas.save(Saga("s-1", "T", due_at=datetime.max.replace(tzinfo=east)), expected_version=0))
        assert (saved.due_at, saved.due_at.tzinfo) == (datetime.max.replace(tzinfo=east), UTC)
        assert await script(sagas.find(saga_type="T")) == [saved]

    play(door, scenario)


def test_compare_and_set_and_no_resurrection(door: Door) -> None:
    """T25: a save never creates what it believes to exist, and a deleted saga stays deleted."""

    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        saga = Saga("s-1", "T", {"n": 1}, correlation_id="c")

        async def conflict(call: Any) -> tuple[int, int | None]:
            with pytest.raises(SagaConflictError) as caught:
                await script(call())
            return caught.value.expected, caught.value.actual

        assert await conflict(partial(sagas.save, saga, expected_version=7)) == (7, 0)
        assert await script(sagas.load("s-1")) is None
        await script(sagas.save(saga, expected_version=0))
        assert await conflict(partial(sagas.save, saga, expected_version=0)) == (0, 1)
        assert await conflict(partial(sagas.save, saga, expected_version=2)) == (2, 1)
        assert await conflict(partial(sagas.delete, "s-1", expected_version=2)) == (2, 1)
        assert await conflict(partial(sagas.delete, "none", expected_version=1)) == (1, 0)
        assert await conflict(partial(sagas.delete, "s-1", expected_version=0)) == (0, 1)
        await script(sagas.delete("s-1", expected_version=1))
        assert await script(sagas.load("s-1")) is None
        assert await script(sagas.find(correlation_id="c")) == []
        for expected in (0, 1, 2, 7):
            assert await conflict(partial(sagas.save, saga, expected_version=expected)) == (expected, None)
        assert await conflict(partial(sagas.delete, "s-1", expected_version=1)) == (1, None)
        assert await script(sagas.load("s-1")) is None
        assert await script(sagas.find()) == []

    play(door, scenario)


def test_of_racing_savers_one_wins_each_round(door: Door) -> None:
    callers = 16

    def check(results: Any) -> None:
        won = [result for result in results if isinstance(result, StoredSaga)]
        lost = [result for result in results if isinstance(result, SagaConflictError)]
        assert (len(won), len(lost)) == (1, callers - 1), results

    def calls(store: Any, number: int) -> list[Any]:
        return [partial(store.sagas.save, Saga("s", "T", by), expected_version=number) for by in range(callers)]

    race(door, 10, calls, check)


def test_the_memory_of_handled_events_is_bounded(door: Door) -> None:
    async def scenario(script: Script) -> None:
        ids = tuple(uuid.uuid4() for _ in range(MAX_HANDLED + 50))
        saved = await script(script.store.sagas.save(Saga("s", "T", handled=ids), expected_version=0))
        assert saved.handled == ids[-MAX_HANDLED:]
        found = await script(script.store.sagas.load("s"))
        assert found.handled == ids[-MAX_HANDLED:]
        assert (found.has_handled(ids[-1]), found.has_handled(ids[0])) == (True, False)

    play(door, scenario)


def test_found_by_correlation_type_and_status_page_by_page(door: Door) -> None:
    """T25: every status can be found, the failed compensations too."""

    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        for number, status in enumerate(SagaStatus):
            for kind in ("A", "a_"):
                saga = Saga(f"{kind}{number}", kind, number, status, f"c-{number % 2}")
                await script(sagas.save(saga, expected_version=0))

        async def ids(**wanted: Any) -> list[str]:
            return [saga.saga_id for saga in await script(sagas.find(**wanted))]

        assert await ids() == sorted([*(f"A{n}" for n in range(7)), *(f"a_{n}" for n in range(7))])
        assert await ids(saga_type="A") == [f"A{n}" for n in range(7)]
        assert await ids(saga_type="a%") == []
        for number, status in enumerate(SagaStatus):
            assert await ids(saga_type="A", statuses=[status]) == [f"A{number}"]
        assert await ids(statuses=[SagaStatus.FAILED, SagaStatus.STUCK]) == ["A2", "A6", "a_2", "a_6"]
        assert await ids(correlation_id="c-1", saga_type="A") == ["A1", "A3", "A5"]
        assert await ids(correlation_id="c-1", after="A3", limit=2) == ["A5", "a_1"]
        assert await ids(correlation_id="C-1") == []
        assert await ids(limit=0) == []

    play(door, scenario)


def test_due_sagas_are_claimed_by_one_and_fenced(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        for name, due_at in (("late", soon(-5)), ("later", soon(-1)), ("future", soon(600)), ("none", None)):
            await script(sagas.save(Saga(name, "T", name, due_at=due_at), expected_version=0))
        assert await script(sagas.claim_due(saga_type="Other")) == []
        [first] = await script(sagas.claim_due(limit=1, lease=30))
        assert (first.saga_id, first.version, first.claims, first.due_at) == ("late", 2, 1, None)
        [second] = await script(sagas.claim_due(lease=600))
        assert second.saga_id == "later"
        assert await script(sagas.claim_due()) == []
        await script.later(40)
        [again] = await script(sagas.claim_due())
        assert (again.saga_id, again.version, again.claims) == ("late", 3, 2)
        with pytest.raises(SagaConflictError) as caught:
            await script(sagas.save(first, expected_version=first.version))
        assert caught.value.actual == 3
        saved = await script(sagas.save(again, expected_version=again.version))
        assert (saved.claims, saved.due_at) == (0, None)
        assert await script(sagas.claim_due()) == []

    play(door, scenario)


def test_a_saga_that_ends_its_workers_is_stuck(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        await script(sagas.save(Saga("s", "T", due_at=soon(-1)), expected_version=0))
        for claims in (1, 2):
            [claimed] = await script(sagas.claim_due(lease=30, max_claims=2))
            assert claimed.claims == claims
            await script.later(40)
        assert await script(sagas.claim_due(max_claims=2)) == []
        [stuck] = await script(sagas.find(statuses=[SagaStatus.STUCK]))
        assert (stuck.saga_id, stuck.due_at) == ("s", None)
        with pytest.raises(SagaConflictError):
            await script(sagas.save(claimed, expected_version=claimed.version))

    play(door, scenario)


def test_stuck_sagas_do_not_stand_before_others(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        for name in ("a", "b", "c"):
            await script(sagas.save(Saga(name, "T", due_at=soon(-5)), expected_version=0))
        assert len(await script(sagas.claim_due(lease=30))) == 3
        await script.later(40)
        for name in ("d", "e"):
            await script(sagas.save(Saga(name, "T", due_at=soon(-1)), expected_version=0))
        for saga_type in (None, "T"):
            [claimed] = await script(sagas.claim_due(limit=1, max_claims=1, saga_type=saga_type))
            assert claimed.saga_id in {"d", "e"}
            stuck = await script(sagas.find(statuses=[SagaStatus.STUCK]))
            assert [item.saga_id for item in stuck] == ["a", "b", "c"]

    play(door, scenario)


def test_with_an_append_in_one_transaction(door: Door) -> None:
    async def scenario(script: Script) -> None:
        async def work(tx: Any, *, fail: bool) -> None:
            await script(tx.append("a-1", [NewEvent("Made", 1)], expected_version=0))
            saved = await script(tx.sagas.save(Saga("s", "T", 1), expected_version=0))
            with pytest.raises(SagaConflictError):  # a refusal leaves the transaction usable (TX-03)
                await script(tx.sagas.save(Saga("s", "T", 2), expected_version=0))
            await script(tx.sagas.save(replace(saved, state=3), expected_version=1))
            assert (await script(tx.sagas.load("s"))).state == 3
            if fail:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await script.in_transaction(partial(work, fail=True))
        assert await script(script.store.sagas.load("s")) is None
        await script.in_transaction(partial(work, fail=False))
        assert (await script(script.store.sagas.load("s"))).version == 2

    play(door, scenario)


def test_bad_input_is_refused(door: Door) -> None:
    async def scenario(script: Script) -> None:
        sagas = script.store.sagas
        wrong: list[Any] = [
            lambda: sagas.save("s", expected_version=0),
            lambda: sagas.save(Saga("", "T"), expected_version=0),
            lambda: sagas.save(Saga("s", "T"), expected_version=-1),
            lambda: sagas.save(Saga("s", "T"), expected_version=True),
            lambda: sagas.save(Saga("s", "T", {1, 2}), expected_version=0),
            lambda: sagas.save(Saga("s", "T", due_at=datetime(2026, 1, 1)), expected_version=0),  # noqa: DTZ001
            lambda: sagas.save(Saga("s", "T", status="running"), expected_version=0),  # type: ignore[arg-type]
            lambda: sagas.save(Saga("s", "T", handled=("x",)), expected_version=0),  # type: ignore[arg-type]
            lambda: sagas.find(statuses=["running"]),
            lambda: sagas.find(limit=-1),
            lambda: sagas.claim_due(limit=0),
            lambda: sagas.claim_due(lease=0),
            lambda: sagas.delete("", expected_version=1),
        ]
        for call in wrong:
            with pytest.raises(UsageError):
                await script(call())
        assert await script(sagas.find()) == []

    play(door, scenario)
