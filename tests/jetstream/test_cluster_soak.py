"""The soak in short, and its judge: what it must find is put into a ledger and into feeds, and found."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from mink_core import AppendResult, ConcurrencyError, ExpectedVersion, NewEvent, TransientStorageError
from mink_jetstream.server import nats_cluster
from tests.jetstream.marks import LEFT_BY_NATS
from tests.soak.jetstream import STORE, soak
from tests.soak.jetstream_ledger import Call, Ledger, Outcome, Seen, Stale, Window, judge

STREAM = "s-1"


def run(*, partition: bool) -> dict[str, Any]:
    with nats_cluster() as cluster:
        return asyncio.run(
            soak(
                cluster,
                f"{cluster.url}/{STORE}",
                seconds=2,
                seed=3,
                partition=partition,
                callers=24,
                first_leader=True,
                at_least=101,
            )
        )


@LEFT_BY_NATS
def test_a_leader_is_killed_and_nothing_acknowledged_is_lost() -> None:
    report = run(partition=False)
    assert report["passed"], report
    assert report["strikes"] == {"leader killed": 1}
    assert report["readers"] == [report["stored_events"]] * 3
    assert report["calls"]["acknowledged"] > 100
    assert report["calls"]["refused"] > 0


@LEFT_BY_NATS
def test_a_leader_without_a_majority_acknowledges_nothing() -> None:
    report = run(partition=True)
    assert report["passed"], report
    assert report["strikes"] == {"leader isolated (hold)": 1}
    assert report["readers"] == [report["stored_events"]] * 3
    assert "acknowledged in time" not in report["at_the_minority"]
    assert sum(report["at_the_minority"].values()) > 0
    assert report["calls"]["acknowledged"] > 100


# Stores that are wrong, each in one way: the same soak must find it.


class Wrapped:
    every = 50

    def __init__(self, store: Any) -> None:
        self._store = store
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def turn(self) -> bool:
        self._calls += 1
        return self._calls % self.every == 0


class SaysThatNothingWasStored(Wrapped):
    async def append(self, *args: Any, **options: Any) -> Any:
        result = await self._store.append(*args, **options)
        if self.turn():
            raise TransientStorageError("nothing was stored")
        return result


class AcknowledgesWhatItForgets(Wrapped):
    """And what it knows to be refused, it acknowledges as well."""

    async def append(self, stream: str, events: list[NewEvent], *, expected_version: int) -> Any:
        if not self.turn():
            return await self._store.append(stream, events, expected_version=expected_version)
        last = expected_version + len(events)
        return AppendResult(stream, expected_version + 1, last, 1, 1, tuple(event.event_id for event in events))


class AppendsAgain(Wrapped):
    """With new ids, where a reply was lost."""

    async def append(self, stream: str, events: list[NewEvent], *, expected_version: int) -> Any:
        if self.turn():
            again = [NewEvent(event.event_type, event.data) for event in events]
            await self._store.append(stream, again, expected_version=ExpectedVersion.ANY)
        return await self._store.append(stream, events, expected_version=expected_version)


class TellsOldVersions(Wrapped):
    async def append(self, stream: str, events: list[NewEvent], *, expected_version: int) -> Any:
        try:
            return await self._store.append(stream, events, expected_version=expected_version)
        except ConcurrencyError as error:
            raise ConcurrencyError(stream, error.expected, max(0, expected_version - 1)) from error


class SkipsInTheFeed(Wrapped):
    every = 5  # a busy machine reads few pages in the time

    async def poll(self, position: int, *, limit: int) -> Any:
        page = await self._store.poll(position, limit=limit)
        return msgspec.structs.replace(page, events=page.events[1:]) if page.events and self.turn() else page


@pytest.mark.parametrize(
    "wrap", [SaysThatNothingWasStored, AcknowledgesWhatItForgets, AppendsAgain, TellsOldVersions, SkipsInTheFeed]
)
def test_the_soak_finds_a_store_that_is_wrong(wrap: type[Wrapped]) -> None:
    url = f"memory://soak-{wrap.__name__}"
    for seconds in (0.3, 3, 20):  # on a busy machine the fault may not have occurred yet
        report = asyncio.run(soak(None, f"{url}-{seconds}", seconds=seconds, seed=1, callers=8, wrap=wrap))
        if not report["passed"]:
            return
    raise AssertionError(report)


def test_the_soak_passes_a_store_that_is_right() -> None:
    report = asyncio.run(soak(None, "memory://soak-right", seconds=0.3, seed=1, callers=8))
    assert report["passed"], report


# The judge


def a_call(
    outcome: Outcome, expected: int, count: int = 1, *, through: str = "any", began: float = 1, ended: float = 2
) -> Call:
    ids = tuple(uuid4() for _ in range(count))
    result = AppendResult(STREAM, expected + 1, expected + count, expected + 1, expected + count, ids)
    return Call(
        STREAM, expected, ids, outcome, began, ended, through, result if outcome is Outcome.ACKNOWLEDGED else None
    )


def stored(*calls: Call) -> list[Seen]:
    ids = [event_id for call in calls for event_id in call.ids]
    return [Seen(number, event_id, STREAM, number) for number, event_id in enumerate(ids, 1)]


@pytest.fixture
def calls() -> list[Call]:
    return [
        a_call(Outcome.ACKNOWLEDGED, 0),
        a_call(Outcome.ACKNOWLEDGED, 1, 3),
        a_call(Outcome.UNKNOWN, 4, 2),
        a_call(Outcome.UNKNOWN, 6),
        a_call(Outcome.REFUSED, 0),
        a_call(Outcome.NOT_STORED, 0),
    ]


def judged(calls: list[Call], feed: list[Seen], *readers: list[Seen]) -> Any:
    ledger = Ledger()
    for call in calls:
        ledger.note(call)
    return judge(ledger, feed, readers or (feed,))


def test_the_judge_passes_what_is_right(calls: list[Call]) -> None:
    verdict = judged(calls, stored(*calls[:3]))
    assert verdict.passed, verdict
    assert (verdict.events, verdict.stored, verdict.unknown_stored) == (4, 6, 1)


def test_the_judge_passes_nothing_that_was_not_tried() -> None:
    assert not judged([], []).passed


def test_the_judge_sees_a_lost_event(calls: list[Call]) -> None:
    assert judged(calls, stored(calls[0])).lost == 3


def test_the_judge_sees_an_event_that_is_there_twice(calls: list[Call]) -> None:
    assert judged(calls, stored(*calls[:3], calls[0])).twice == 1


@pytest.mark.parametrize("number", [4, 5])
def test_the_judge_sees_what_was_said_not_to_be_stored(calls: list[Call], number: int) -> None:
    verdict = judged(calls, stored(*calls[:2], calls[number]))
    assert not verdict.passed
    assert calls[number].outcome.value in verdict.problems[0]


def test_the_judge_sees_half_a_call(calls: list[Call]) -> None:
    verdict = judged(calls, stored(*calls[:3])[:-1])
    assert verdict.problems == ("a call on s-1 is stored in part: 1 of 2 events",)


def test_the_judge_sees_a_gap_an_order_and_a_stranger(calls: list[Call]) -> None:
    feed = stored(*calls[:2])
    gap = [*feed[:2], feed[3]]
    assert "s-1 goes on with version 4 after 2" in judged(calls, gap).problems
    assert "position 1 comes after 2" in judged(calls, [feed[1], feed[0], *feed[2:]]).problems
    stranger = [*feed, Seen(5, uuid4(), STREAM, 5)]
    assert judged(calls, stranger).problems == ("1 events are stored that nobody appended",)


def test_the_judge_sees_what_was_told_wrongly(calls: list[Call]) -> None:
    first = calls[0]
    assert first.result is not None
    calls[0] = first._replace(expected=1)
    assert any("was told at 2" in said for said in judged(calls, stored(*calls[:2])).problems)
    calls[0] = first._replace(result=AppendResult(STREAM, 1, 1, 9, 9, first.ids))
    assert any("another position" in said for said in judged(calls, stored(*calls[:2])).problems)


def test_the_judge_sees_what_a_reader_was_not_given(calls: list[Call]) -> None:
    feed = stored(*calls[:3])
    phantom = Seen(7, uuid4(), STREAM, 7)
    for given, said in (
        (feed[:2] + feed[3:], "1 missing"),
        ([*feed, phantom], "1 that are not stored"),
        ([*feed, feed[-1]], "1 repeated"),
        ([feed[1], feed[0], *feed[2:]], "in another order"),
    ):
        verdict = judged(calls, feed, feed, given)
        assert len(verdict.problems) == 1
        assert verdict.problems[0].startswith("reader 1")
        assert said in verdict.problems[0]


def test_a_window_counts_what_began_in_it() -> None:
    ledger = Ledger()
    for call in (
        a_call(Outcome.ACKNOWLEDGED, 0, through="node-0", began=11, ended=12),
        a_call(Outcome.ACKNOWLEDGED, 0, through="node-0", began=11, ended=31),
        a_call(Outcome.ACKNOWLEDGED, 0, through="node-0", began=9, ended=12),
        a_call(Outcome.ACKNOWLEDGED, 0, through="node-1", began=11, ended=12),
        a_call(Outcome.UNKNOWN, 0, through="node-0", began=11, ended=22),
    ):
        ledger.note(call)
    assert ledger.within(Window("node-0", 10, 30)) == {"acknowledged in time": 1, "acknowledged": 1, "unknown": 1}


def test_an_old_version_is_excused_only_where_a_node_was_alone() -> None:
    ledger = Ledger()
    ledger.stale += [Stale("node-0", 11, "alone"), Stale("node-1", 11, "in company"), Stale("node-0", 40, "later")]
    assert ledger.excuse([Window("node-0", 10, 30)]) == 1
    assert ledger.problems == ["in company", "later"]
