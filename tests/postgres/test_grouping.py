"""Grouped commits: every caller has an answer of its own, whatever happens to its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_core import ConcurrencyError, ExpectedVersion, NewEvent, OutcomeUnknownError
from tests.postgres.grouped import (
    DRIVERS,
    GroupsKilled,
    door,
    kind_of,
    made,
    player,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ANY, NONE, EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


@pytest.fixture(params=DRIVERS)
def play(request: pytest.FixtureRequest, postgres_url: str, schema: str) -> Callable[..., Any]:
    """See `player`, on each driver."""
    return player(door(request.param, postgres_url, schema))


def test_each_caller_gets_its_own_answer(play: Callable[..., Any]) -> None:
    first = [(f"a-{n}", made(1 + n % 3), NONE) for n in range(12)]
    stored = made(2)
    again = [NewEvent(e.event_type, e.data, e.metadata, e.event_id) for e in stored]
    other = [NewEvent(again[0].event_type, {"other": 1}, None, again[0].event_id), again[1]]
    mixed: list[tuple[str, list[NewEvent], Any]] = [
        ("a-0", made(), 1),  # fits
        ("a-1", made(), 9),  # conflict
        ("b-1", again, 0),  # the first call again
        ("b-1", other, 0),  # its ids with other content
        ("b-1", made(), NONE),  # conflict
        ("a-2", made(3), ANY),
        ("a-3", made(), EXISTS),
        ("c-9", made(), EXISTS),  # there is none
        ("c-8", made(), 4),  # nor here
        ("c-7", made(), NONE),  # created
        ("c-6", made(), ANY),  # created
    ]
    (created, (original,), answers), sizes, events = play(first, [("b-1", stored, NONE)], mixed)
    assert {kind_of(outcome) for outcome in created} == {"AppendResult"}
    for (stream, new, _), outcome in zip(first, created, strict=True):
        assert (outcome.stream_id, outcome.first_version, outcome.last_version) == (stream, 1, len(new))
        assert outcome.event_ids == tuple(e.event_id for e in new)
        assert outcome.first_position == events[new[0].event_id].global_position
        assert outcome.last_position == events[new[-1].event_id].global_position
    expected = ["AppendResult", "ConcurrencyError", "AppendResult", "DuplicateEventError", "ConcurrencyError"]
    expected += ["AppendResult", "AppendResult", "ConcurrencyError", "ConcurrencyError", "AppendResult", "AppendResult"]
    assert [kind_of(answer) for answer in answers] == expected
    assert answers[2] == original
    assert answers[3].event_id == again[0].event_id
    assert [answers[n].actual for n in (1, 4, 7, 8)] == [2, 2, 0, 0]
    assert [answers[n].expected for n in (1, 4, 7, 8)] == [9, NONE, EXISTS, 4]
    assert max(sizes) > 1


def test_one_stream_may_stand_in_a_group_many_times(play: Callable[..., Any]) -> None:
    race = [("hot-1", made(by=number), 0) for number in range(40)]
    anything = [("hot-1", made(2, by=number), ANY) for number in range(40)]
    (raced, added), sizes, events = play(race, anything)
    assert sorted(map(kind_of, raced)) == ["AppendResult"] + ["ConcurrencyError"] * 39
    assert {error.actual for error in raced if isinstance(error, ConcurrencyError)} == {1}
    assert sorted(result.first_version for result in added) == list(range(2, 82, 2))
    assert len(events) == 81
    assert max(sizes) > 10
    stamps = [event.timestamp for event in sorted(events.values(), key=lambda e: e.version)]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == 41  # one an append: what a retry is recognized by


def test_a_poisoned_append_fails_alone(play: Callable[..., Any], postgres_url: str, schema: str) -> None:
    """A raw write has left `streams` behind: the append there breaks a unique index, and its whole group with it."""

    def poison(_: Any) -> None:
        with psycopg.connect(postgres_url) as connection:
            connection.execute(
                f'INSERT INTO "{schema}".events (stream_id, version, event_type, data) '
                "VALUES ('bad-1', 1, 'Raw', '{}') ON CONFLICT DO NOTHING"
            )

    calls = [(f"a-{number}", made(2), NONE) for number in range(30)]
    calls.insert(15, ("bad-1", made(), NONE))
    (outcomes,), sizes, _ = play(calls, before=poison)
    assert [kind_of(outcome) for outcome in outcomes] == ["AppendResult"] * 15 + ["StorageError"] + [
        "AppendResult"
    ] * 15
    assert outcomes[15].sqlstate == "23505"
    assert max(sizes) > 10


def test_a_connection_lost_in_the_middle_is_told_to_each(
    play: Callable[..., Any], postgres_url: str, admin_url: str, schema: str
) -> None:
    """The server's process is killed inside of a group: unknown to all of it, and each retry stores once."""

    # Three in a row on the sleeper's stream share its group, whatever else the lanes take.
    calls: list[tuple[str, list[NewEvent], Any]] = [("nap-1", made(by=n), 0 if n == 0 else ANY) for n in range(3)]
    calls += [(f"a-{n}", made(), NONE) for n in range(20)]
    killed = GroupsKilled(postgres_url, admin_url, schema)
    try:
        (outcomes,), _, events = play(calls, before=lambda _: killed.begin())
    finally:
        killed.end()
    lost = [
        (call, outcome) for call, outcome in zip(calls, outcomes, strict=True) if kind_of(outcome) == "StorageError"
    ]
    assert lost
    for (stream, new, expected), outcome in lost:
        assert isinstance(outcome, OutcomeUnknownError), outcome
        assert outcome.retry_is_safe is (expected is not ANY)
        assert new[0].event_id not in events, stream  # rolled back, though nobody could know
    for (_, new, _), outcome in zip(calls, outcomes, strict=True):
        if kind_of(outcome) == "AppendResult":
            assert events[new[0].event_id].global_position == outcome.first_position
