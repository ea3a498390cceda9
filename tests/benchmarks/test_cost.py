"""Processor time of a server: whose sessions count, and what is said where they cannot be counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from mink_benchmarks import cost, floors, processes
from mink_benchmarks.cost import Cost, as_table, measure_costs
from mink_benchmarks.processes import NotCountedError, ServerClock
from mink_benchmarks.reads import Function
from mink_benchmarks.samples import Sample
from mink_benchmarks.server import Server
from mink_benchmarks.workload import Workload

if TYPE_CHECKING:
    from pathlib import Path

BURN = "DO $$ DECLARE n bigint := 0; BEGIN WHILE n < 2000000 LOOP n := n + 1; END LOOP; END $$"


def burn(url: str) -> None:
    """About a tenth of a second of a session that has ended when this returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BURN)


def test_the_time_of_sessions_that_have_ended_counts(postgres_url: str) -> None:
    with ServerClock(postgres_url) as clock, psycopg.connect(postgres_url, autocommit=True) as kept:
        began = clock.seconds()
        kept.execute(BURN)
        alive = clock.seconds() - began
        assert alive > 0.02
        began = clock.seconds()
        for _ in range(3):
            burn(postgres_url)
        time.sleep(0.5)
        assert clock.seconds() - began > 1.5 * alive


def test_another_process_of_the_same_number_is_not_the_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(why: str) -> None:
        with pytest.raises(NotCountedError, match=why):
            ServerClock(postgres_url)

    monkeypatch.setattr(processes, "_PROC", tmp_path)
    refused("no /proc")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    refused("not on this machine")  # as of a server elsewhere: its numbers are nobody's here
    monkeypatch.setattr(processes, "_fields", lambda _: ["S", "1", *["0"] * 30])  # or somebody else's, since the start
    refused("not on this machine")


class Scripted(ServerClock):
    """A server and its sessions as one look after the other finds them: the server, the sessions, the server again."""

    def __init__(self, *looks: tuple[list[str], list[list[str]], list[str]]) -> None:
        self._tick, self._found = 1, iter([found for look in looks for found in look])

    def _of_server(self) -> Any:
        return next(self._found)

    _of_sessions = _of_server


def stat(own: int, ended: int = 0) -> list[str]:
    return ["S", "0", *["0"] * 9, str(own), "0", str(ended), "0"]


def test_a_session_that_ends_during_a_look_is_counted_once() -> None:
    # It has used 70 ticks. The server is read before it ends, and it is read as long as it is there, or too late.
    twice = (stat(5), [stat(70), stat(10)], stat(5, ended=70))
    never = (stat(5), [stat(10)], stat(5, ended=70))
    after = (stat(5, ended=70), [stat(10)], stat(5, ended=70))
    assert Scripted(after).seconds() == 85
    assert Scripted(twice, after).seconds() == 85
    assert Scripted(never, never, after).seconds() == 85


def test_sessions_that_never_pause_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    busy = ((stat(1, ended=number), [stat(1)], stat(1, ended=number + 1)) for number in range(300))
    with pytest.raises(NotCountedError, match="without a pause"):
        Scripted(*busy).seconds()


def test_a_row_that_cannot_be_counted_says_so(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    case = Function("call", lambda seconds: Sample(1000 if seconds else 0, 1.0))
    monkeypatch.setattr(cost, "_append_cases", lambda *_: [case])
    monkeypatch.setattr(cost, "_read_cases", lambda *_: [])
    monkeypatch.setattr(cost, "_REAPED", 0.0)
    looks = iter([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.5, 3.0, 3.0, 3.0, NotCountedError("the server has ended")])

    def seconds(_: Any) -> float:
        found = next(looks)
        if isinstance(found, NotCountedError):
            raise found
        return found

    monkeypatch.setattr(ServerClock, "seconds", seconds)

    def row() -> Cost:
        return measure_costs(Server(postgres_url), Workload(), 0.01, lambda _: None)["one append"][0]

    found = [row(), row(), row()]
    assert [one.server for one in found] == [None, 500.0, None]
    text = as_table("one append", found)
    assert text.count("not counted\n") == 2
    assert "not counted: the server's clock stood still" in text
    assert "not counted: the server has ended" in text


def test_what_a_measurement_needs_to_begin_is_no_cost_of_an_event(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the sessions of pgbench, which are opened in each: the stores' are there before."""
    spent = {"client": 0.0, "server": 0.0}

    def work(seconds: float) -> Sample:
        count = 1000 if seconds else 10
        spent["client"] += 0.5 + count * 20e-6
        spent["server"] += 0.7 + count * 60e-6
        return Sample(count, 1.0)

    monkeypatch.setattr(cost, "_append_cases", lambda *_: [Function("call", work)])
    monkeypatch.setattr(cost, "_read_cases", lambda *_: [])
    monkeypatch.setattr(cost, "_REAPED", 0.0)
    monkeypatch.setattr(cost, "_client_seconds", lambda: spent["client"])
    monkeypatch.setattr(ServerClock, "seconds", lambda _: spent["server"])
    (found,) = measure_costs(Server(postgres_url), Workload(), 1.0, lambda _: None)["one append"]
    assert (found.client, found.server) == (pytest.approx(20), pytest.approx(60))


def test_pgbench_can_do_as_little_as_one_transaction_a_client(postgres_url: str) -> None:
    if not floors.pgbench_found():
        pytest.skip("needs pgbench")
    server = Server(postgres_url)
    floors.load_floor(server)
    assert floors.PgbenchFloor("floor", server, 4).measure(0.0).count == 4
    assert server.run("SELECT count(*) FROM floor.events") == [(4,)]
    server.drop()


def test_a_lone_caller_costs_the_server_what_it_computes(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor's rows open a session for each measurement, and close it."""
    server = Server(postgres_url)
    floors.load_floor(server)
    monkeypatch.setattr(cost, "_append_cases", lambda *_: [floors.psycopg_call(server, Workload())])
    monkeypatch.setattr(cost, "_read_cases", lambda *_: [])
    (found,) = measure_costs(server, Workload(), 0.5, lambda _: None)["one append"]
    assert found.server is not None
    assert found.server > 10
    server.drop()
