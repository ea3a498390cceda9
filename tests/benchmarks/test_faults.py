"""Each fault once or twice, and a judge that is not fooled. `python -m mink_benchmarks.faults` runs them for long."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from mink_benchmarks.faults.__main__ import FAULTS, main
from mink_benchmarks.faults.judging import Verdict, judge
from mink_benchmarks.faults.lab import CannotInflictError, Fault, Lab, inflict
from mink_benchmarks.faults.ledger import Ledger, call_of
from mink_benchmarks.faults.load import Reader
from mink_core import NewEvent
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("fault", FAULTS, ids=lambda it: it.name)
def test_nothing_acknowledged_is_lost(fault: Fault) -> None:
    verdict = inflict(fault, 0.4, times=1)
    if verdict.not_run:
        pytest.skip(verdict.not_run)
    assert verdict.passed, verdict
    assert verdict.acknowledged > 20
    assert verdict.stored >= verdict.acknowledged


@pytest.fixture
def judged(postgres_url: str, schema: str) -> Callable[..., Verdict]:
    """Appends two calls and judges them, with something broken before the judgement."""
    url = f"{postgres_url}?schema={schema}"

    def run(broken: Callable[[Any], None] = lambda _: None) -> Verdict:
        ledger = Ledger()
        with PostgresEventStore(postgres_url, schema=schema, min_size=1) as store:
            store.initialize()
            version = 0
            for _ in range(2):
                events = call_of(3)
                version = store.append("load-1", events, expected_version=version).last_version
                ledger.acknowledge(event.event_id for event in events)
            reader = Reader(postgres_url, ledger)
            reader._store = PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=2)
            reader.start()
            while len(reader.given) < 6:
                pass
            with store.transaction() as transaction:
                connection = transaction.connection
                connection.execute(f'SET LOCAL search_path = "{schema}"')
                connection.execute("SELECT allow_rewriting()")
                broken((connection, ledger, reader))
        return judge(("x", 1), url, ledger, reader, seconds=0.2)

    return run


def sql(statement: str) -> Callable[[Any], None]:
    return lambda lab: lab[0].execute(statement)


TWINS: dict[str, tuple[Callable[[Any], None], Callable[[Verdict], object]]] = {
    "an acknowledged event that is not stored": (
        lambda lab: lab[1].acknowledge([uuid.uuid4()]),
        lambda it: it.lost == 1,
    ),
    "an event that is stored twice": (
        sql(
            "INSERT INTO events (stream_id, version, event_id, event_type, data) "
            "SELECT stream_id, 7, event_id, event_type, data FROM events WHERE version = 1"
        ),
        lambda it: it.duplicated == 1,
    ),
    "a call stored in part": (
        sql("DELETE FROM events WHERE version = 6"),
        lambda it: it.lost == 1 and any("in part" in said for said in it.problems),
    ),
    "a hole in a stream": (
        sql("UPDATE events SET version = 9 WHERE version = 6"),
        lambda it: any("goes on with version 9" in said for said in it.problems),
    ),
    "time that goes back": (
        sql("UPDATE events SET timestamp = timestamp - interval '1 hour' WHERE version = 6"),
        lambda it: any("time goes back" in said for said in it.problems),
    ),
    "a reader that skipped": (lambda lab: lab[2].given.pop(2), lambda it: any("1 missing" in p for p in it.problems)),
    "a reader given twice": (
        lambda lab: lab[2].given.append(lab[2].given[0]),
        lambda it: any("1 repeated" in p for p in it.problems),
    ),
    "a reader out of order": (
        lambda lab: lab[2].positions.reverse(),
        lambda it: any("out of order" in p for p in it.problems),
    ),
    "a surprise": (lambda lab: lab[1].surprise("odd"), lambda it: "odd" in it.problems),
}


@pytest.mark.parametrize(("broken", "noticed"), TWINS.values(), ids=list(TWINS))
def test_the_judge_notices(
    judged: Callable[..., Verdict], broken: Callable[[Any], None], noticed: Callable[[Verdict], bool]
) -> None:
    verdict = judged(broken)
    assert noticed(verdict), verdict
    assert not verdict.passed


def test_the_judge_passes_what_is_whole(judged: Callable[..., Verdict]) -> None:
    verdict = judged()
    assert verdict.passed, verdict
    assert (verdict.acknowledged, verdict.stored) == (6, 6)


class Impossible(Fault):
    """Cannot be inflicted anywhere."""

    name = "impossible"

    def place(self) -> Any:
        why = "no such thing"
        raise CannotInflictError(why)

    def strike(self, lab: Lab) -> int:
        raise AssertionError(lab)


def test_what_could_not_be_inflicted_has_not_passed() -> None:
    verdict = inflict(Impossible(), 1)
    assert (verdict.not_run, verdict.passed) == ("no such thing", False)


def test_what_never_struck_has_not_passed() -> None:
    assert Verdict("x", 1, 5, 5, 0, 0, 0.1).passed
    assert not Verdict("x", 0, 5, 5, 0, 0, 0.1).passed


@pytest.mark.parametrize(("lost", "status"), [(0, 0), (1, 1)])
def test_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lost: int, status: int
) -> None:
    asked: list[tuple[str, float]] = []

    def inflicted(fault: Fault, seconds: float) -> Verdict:
        asked.append((fault.name, seconds))
        return Verdict(fault.name, 3, 1000, 1000 - lost, lost, 0, 0.25)

    monkeypatch.setattr("mink_benchmarks.faults.__main__.inflict", inflicted)
    assert main(["--minutes", "2", "--only", "pool exhausted", "--only", "disk full"]) == status
    assert asked == [("pool exhausted", 60), ("disk full", 60)]
    assert "1,000" in capsys.readouterr().out
    assert main(["--json"]) == status
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["fault"] for row in rows] == [fault.name for fault in FAULTS]
    assert rows[0]["lost"] == lost
    with pytest.raises(SystemExit):
        main(["--only", "nonsense"])
    assert "no fault 'nonsense'" in capsys.readouterr().err


def test_the_outage_is_the_longest_wait() -> None:
    ledger = Ledger()
    ledger._last -= 5
    ledger.acknowledge([NewEvent("A", 1).event_id])
    ledger.acknowledge([NewEvent("A", 1).event_id])
    assert 5 <= ledger.longest_outage < 6
