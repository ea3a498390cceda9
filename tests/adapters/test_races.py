"""Thirty-two callers at once: one winner under an exact expectation, no loser under ANY (APPEND-05, 06)."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from mink_core import AppendResult, ConcurrencyError, ExpectedVersion, NewEvent
from tests.adapters.doors import Door, race, together, together_async

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLERS = 32
ROUNDS = int(os.environ.get("MINK_RACE_ROUNDS", "300"))
"""A soak takes more; in memory a thousand are always raced (tests/memory)."""
STREAMS = 50


def check_round(results: Sequence[object], expected: int) -> None:
    won = [result for result in results if isinstance(result, AppendResult)]
    lost = [result for result in results if isinstance(result, ConcurrencyError)]
    assert len(won) == 1, results
    assert len(lost) == CALLERS - 1, results
    assert won[0].first_version == expected + 1
    assert {error.actual for error in lost} == {expected + 1}


def test_one_exact_expectation_has_one_winner(door: Door) -> None:
    """The callers of a round are released at one barrier."""

    def sync(store: Any) -> int:
        barrier = threading.Barrier(CALLERS)
        outcomes: list[list[object]] = [[] for _ in range(ROUNDS)]

        def caller() -> None:
            for number in range(ROUNDS):
                stream, version = f"race-{number % STREAMS}", number // STREAMS
                event = NewEvent("Raced", {})
                barrier.wait()
                try:
                    outcome: object = store.append(stream, [event], expected_version=version)
                except ConcurrencyError as error:
                    outcome = error
                outcomes[number].append(outcome)

        assert together([caller] * CALLERS) == [None] * CALLERS
        for number, results in enumerate(outcomes):
            check_round(results, number // STREAMS)
        return len(list(store.read_all()))

    async def awaited(store: Any) -> int:
        for number in range(ROUNDS):
            stream, version = f"race-{number % STREAMS}", number // STREAMS
            calls = [
                partial(store.append, stream, [NewEvent("Raced", {})], expected_version=version) for _ in range(CALLERS)
            ]
            check_round(await together_async(calls), version)
        return len([event async for event in store.read_all()])

    assert door.run(awaited if door.is_async else sync) == ROUNDS


def test_any_racing_to_create_never_conflicts(door: Door) -> None:
    def calls(store: Any, number: int) -> list[Any]:
        append = partial(store.append, f"new-{number}", expected_version=ExpectedVersion.ANY)
        return [partial(append, [NewEvent("Raced", {"by": by})]) for by in range(CALLERS)]

    def check(results: Sequence[object]) -> None:
        assert all(isinstance(result, AppendResult) for result in results), results
        versions = sorted(result.first_version for result in results if isinstance(result, AppendResult))
        assert versions == list(range(1, CALLERS + 1))

    race(door, 100, calls, check)
