"""A log that grows: the fill goes on where it stopped, a step measures all, and what follows from the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_benchmarks import grown, growth
from mink_benchmarks.goals import Plan
from mink_benchmarks.server import Server
from mink_benchmarks.workload import Workload
from mink_core import UsageError, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def small(admin_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[growth.Growth]:
    monkeypatch.setattr(grown, "_OPEN", 128)
    for module in (grown, growth):
        monkeypatch.setattr(module, "BLOCK", 1280)
        monkeypatch.setattr(module, "GENERATION", 12_800)
    yield growth.Growth(Server(admin_url), Workload(), lambda _: None, base=12_800)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS growth, growth_still CASCADE")


def test_the_fill_makes_a_sound_store_and_goes_on(small: growth.Growth) -> None:
    assert small.fill(12_800, seconds=0.0) == 0  # no time: nothing is filled
    assert small.fill(2 * 1280) == 2560
    assert small.grows.events() == 2560
    small.fill(25_600)
    step = small.measure(25_600, rounds=2, seconds=0.05)
    assert all(step[how]["grows"]["min"] > 0 for how in growth.HOWS)
    assert step["sizes"]["events"] > step["sizes"]["events_pkey"] > 0
    blocks = step["blocks"]
    assert blocks["a stream of 100"] > blocks["its last event"] > 0
    assert blocks["a category's 100 of 10,000"] > blocks["a page of 1,000"] > 0 < blocks["an append"]
    assert "blocks looked at" in growth.as_table([step])
    # Appends that were measured are no part of the fill.
    assert small.grows.events() == 25_600
    small.fill(38_400)
    with open_store(f"{small.grows.server.url}?schema=growth&min_size=1") as store:
        assert store.check() == []
        assert sum(1 for _ in store.streams()) == 3 * 128
        assert {event.version for event in store.read_stream(grown.name_of(300))} >= set(range(1, 101))


def test_a_log_is_measured_at_no_size_that_it_has_outgrown(
    small: growth.Growth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "MILLION", 12_800)
    assert small.steps_left(3 * 12_800) == [12_800, 38_400]
    small.fill(25_600)
    assert small.steps_left(3 * 12_800) == [38_400]
    assert small.steps_left(25_600) == [25_600]
    with pytest.raises(UsageError, match="25,600 events already"):
        small.steps_left(12_800)


def test_the_fill_goes_beyond_three_millions(small: growth.Growth) -> None:
    """Its numbers are no smallint, though the driver sends small ones as such."""
    small.fill(1280)
    text: Any = grown._FILL.replace("{schema}", "growth")
    given = {"type": "T", "data": "{}", "metadata": "{}", "sweeps": 0, "rare": 100, "after": 0}
    with psycopg.connect(small.grows.server.url) as connection:
        made = connection.execute(text, given | {"first": 30_000, "open": 10_000})
        assert made.rowcount == 0
        connection.rollback()


def test_the_goal_says_what_is_missing(postgres_url: str) -> None:
    plan = Plan.__new__(Plan)
    plan.server, plan.workload = Server(postgres_url), Workload()
    group = plan.growth()
    assert not group.cases
    assert "mink bench growth" in group.missing[0]


def test_sizes_grow_in_proportion_and_rates_by_doublings() -> None:
    def step(events: int, ratio: float) -> dict[str, object]:
        rate = {"ratio": {"median": ratio}}
        return {
            "events": events,
            "sizes": {"events": 700 * events},
            "appends": rate,
            "streams": rate,
            "replay": rate,
            "category": rate,
        }

    found = growth.extrapolate([step(1_000_000, 1.0), step(4_000_000, 0.8)], to=16_000_000)
    assert found["bytes events"] == pytest.approx(700 * 16_000_000)
    assert found["appends"] == pytest.approx(0.64)
    assert growth.steps_to(10_000_000) == [1_000_000, 3_000_000, 10_000_000]
