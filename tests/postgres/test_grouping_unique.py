"""Groups where event ids are unique: they share a commit, and each is answered as if it had come alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import (
    AppendResult,
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    OutcomeUnknownError,
    TransientStorageError,
)
from mink_postgres.grouping import async_runner, sync_runner
from tests.postgres.grouped import DRIVERS, GroupsKilled, door, kind_of, made, player

if TYPE_CHECKING:
    from collections.abc import Callable

ANY, NONE = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    driver: str = request.param
    return driver


@pytest.fixture
def play(driver: str, postgres_url: str, schema: str) -> Callable[..., Any]:
    """See `player`."""
    return player(door(driver, postgres_url, schema), unique_event_ids=True)


def test_appends_share_groups(play: Callable[..., Any]) -> None:
    calls = [(f"a-{n}", made(1 + n % 2), NONE) for n in range(40)]
    (outcomes, again), sizes, events = play(calls, calls)
    assert {kind_of(outcome) for outcome in outcomes} == {"AppendResult"}
    assert again == outcomes
    assert max(sizes) > 10
    assert len(events) == 60


def test_each_is_told_what_it_would_be_told_alone(play: Callable[..., Any]) -> None:
    """One id that is stored elsewhere fails the group's INSERT; a conflict that repeats one is a duplicate all the same."""
    old = [made() for _ in range(6)]
    first: list[Any] = [(f"old-{n}", events, NONE) for n, events in enumerate(old)]
    calls: list[Any] = [
        *[(f"new-{n}", made(), NONE) for n in range(20)],
        ("other-1", old[0], ANY),
        ("other-2", old[1], 7),
        ("old-2", [*old[2], *made()], ANY),
        ("old-3", old[3], ANY),
        ("old-4", made(), NONE),
        ("old-5", made(), 1),
    ]
    (_, outcomes), _, events = play(first, calls)
    *new, elsewhere, elsewhere_and_conflict, longer, repeat, conflict, good = outcomes
    assert {kind_of(outcome) for outcome in [*new, good]} == {"AppendResult"}
    for outcome, stored in ((elsewhere, old[0]), (elsewhere_and_conflict, old[1]), (longer, old[2])):
        assert isinstance(outcome, DuplicateEventError)
        assert outcome.event_id == stored[0].event_id
    assert isinstance(repeat, AppendResult)
    assert (repeat.first_version, repeat.event_ids) == (1, (old[3][0].event_id,))
    assert isinstance(conflict, ConcurrencyError)
    assert conflict.actual == 1
    assert len(events) == 6 + 20 + 1


def test_a_conflict_that_repeats_an_id_is_a_duplicate_also_where_the_index_was_not_asked(
    play: Callable[..., Any],
) -> None:
    """A group of good appends otherwise, which the index lets in: the conflict is found before anything of it is inserted."""
    old = made()
    calls: list[Any] = [*[(f"new-{n}", made(), NONE) for n in range(8)], ("other-1", old, 7), ("other-2", made(), 7)]
    (_, outcomes), _, events = play([("old-1", old, NONE)], calls)
    *new, duplicate, conflict = outcomes
    assert {kind_of(outcome) for outcome in new} == {"AppendResult"}
    assert isinstance(duplicate, DuplicateEventError)
    assert duplicate.event_id == old[0].event_id
    assert isinstance(conflict, ConcurrencyError)
    assert len(events) == 9


def test_what_a_failed_group_leaves_is_asked_once_more_and_not_twice(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that are there come in numbers: the short statement would fail again for each."""

    def short(*_: Any) -> Any:
        pytest.fail("sent by itself, by the short statement")

    for runner in (sync_runner, async_runner):
        monkeypatch.setattr(runner, "asked", short)
    old = [made() for _ in range(6)]
    (_, outcomes), _, events = play(
        [(f"old-{n}", it, NONE) for n, it in enumerate(old)], [(f"new-{n}", it, ANY) for n, it in enumerate(old)]
    )
    assert {kind_of(outcome) for outcome in outcomes} == {"DuplicateEventError"}
    assert len(events) == 6


def test_of_those_who_bring_the_same_id_at_once_one_has_stored_it(play: Callable[..., Any]) -> None:
    """In one group, and in two that wait for each other's rows, in either order."""
    shared = [made() for _ in range(8)]
    calls = []
    for n in range(30):
        pair = random.Random(n).sample(shared, 2)
        calls.append((f"s-{n}", [*pair[0], *pair[1]], ANY))
    calls += [(f"mine-{n}", made(), NONE) for n in range(10)]
    (outcomes,), _, events = play(calls)
    taken: set[Any] = set()
    for (stream, new, _), outcome in zip(calls, outcomes, strict=True):
        if isinstance(outcome, AppendResult):
            ids = [event.event_id for event in new]
            assert not taken & {*ids}
            taken |= {*ids}
            assert [events[it].stream_id for it in ids] == [stream] * len(ids)
        else:
            assert isinstance(outcome, DuplicateEventError | TransientStorageError), outcome
    assert {*events} == taken
    assert all(isinstance(outcome, AppendResult) for outcome in outcomes[30:])


def test_a_lost_reply_is_safe_to_retry_under_any(
    play: Callable[..., Any], postgres_url: str, admin_url: str, schema: str
) -> None:
    """And the retry of each stores once: also where the group has committed, which the caller could not know."""
    calls = [("nap-1" if n < 3 else f"a-{n % 3}", made(), ANY) for n in range(12)]
    killed = GroupsKilled(postgres_url, admin_url, schema)
    befores = iter([killed.begin, killed.end])
    (outcomes, again), _, events = play(calls, calls, before=lambda _: next(befores)())
    lost = [outcome for outcome in outcomes if isinstance(outcome, OutcomeUnknownError)]
    assert lost
    assert all(outcome.retry_is_safe for outcome in lost)
    assert {kind_of(outcome) for outcome in again} == {"AppendResult"}
    assert {*events} == {new[0].event_id for _, new, _ in calls}
    assert len(events) == len(calls)


def test_a_lone_append_takes_one_statement_and_a_repeat_two(
    driver: str, postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mink_postgres.programs import appending  # noqa: PLC0415 -- what is counted

    asked: list[str] = []
    real = appending.append_batch
    monkeypatch.setattr(appending, "append_batch", lambda *given: asked.append("whole store") or real(*given))
    chosen = door(driver, postgres_url, schema)
    event = NewEvent("Made", 1)

    def sync(store: Any) -> Any:
        return [store.append("a-1", [event], expected_version=ANY) for _ in range(2)]

    async def awaited(store: Any) -> Any:
        return [await store.append("a-1", [event], expected_version=ANY) for _ in range(2)]

    first, second = chosen.run(awaited if chosen.is_async else sync, unique_event_ids=True)
    assert first == second
    assert asked == ["whole store"]
