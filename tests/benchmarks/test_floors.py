"""What is read from pgbench: its pace once its sessions are warm, as the stores' are."""

from __future__ import annotations

from typing import Any

import pytest

from mink_benchmarks import floors
from mink_benchmarks.floors import sample_of
from mink_benchmarks.samples import BenchmarkError
from mink_benchmarks.server import Server
from mink_benchmarks.workload import Workload

OUT = """number of clients: 64
number of transactions actually processed: 18083
tps = 6598.178139 (without initial connection time)
"""


def lines(*rates: float, step: float = 1.0) -> str:
    return "".join(
        f"progress: {number * step:.1f} s, {rate} tps, lat 8.4 ms stddev 7.1, 0 failed\n"
        for number, rate in enumerate(rates, 1)
    )


def test_the_first_second_opens_sessions_and_does_not_count_in_the_rate() -> None:
    found = sample_of(OUT, lines(4051.4, 6800.0, 7000.0), events=1)
    assert (found.count, found.rate) == (18083, pytest.approx(6900))
    ten = sample_of(OUT, lines(4051.4, 6800.0, 7000.0), events=10)
    assert (ten.count, ten.rate) == (180830, pytest.approx(69000))


def test_a_pace_counts_for_as_long_as_it_lasted() -> None:
    uneven = lines(4000.0, 6000.0) + "progress: 5.0 s, 3000.0 tps, lat 8.4 ms stddev 7.1, 0 failed\n"
    assert sample_of(OUT, uneven, events=1).rate == pytest.approx((6000 + 3 * 3000) / 4)


@pytest.mark.parametrize("told", ["", lines(4051.4), lines(4051.4, 0.0)])
def test_where_it_told_nothing_after_that_the_whole_is_taken(told: str) -> None:
    assert sample_of(OUT, told, events=1).rate == pytest.approx(6598.178139)


@pytest.mark.parametrize("out", ["", "number of transactions actually processed: 0\n"])
def test_nothing_done_is_nothing_measured(out: str) -> None:
    with pytest.raises(BenchmarkError, match="pgbench measured nothing: gone"):
        sample_of(out, "gone", events=1)


@pytest.mark.parametrize("floor", [floors.psycopg_call, floors.asyncpg_call])
def test_a_bare_driver_is_warm_when_it_is_measured(postgres_url: str, floor: Any) -> None:
    server = Server(postgres_url)
    try:
        floors.load_floor(server)
        found = floor(server, Workload()).measure(0.05)
        assert server.run("SELECT count(*) FROM floor.events") == [(found.count + floors.WARM,)]
        assert len(found.latencies) == found.count
    finally:
        server.drop()
