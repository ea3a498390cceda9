"""One failover of a small cluster, where Patroni and etcd are installed; `python -m mink_benchmarks.failover` runs many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mink_benchmarks.failover import __main__ as command
from mink_benchmarks.failover.cluster import Cluster
from mink_benchmarks.failover.drill import Drill, Strike, synchronous, take_positions
from mink_benchmarks.faults.judging import Verdict
from mink_benchmarks.faults.lab import CannotInflictError
from mink_core import TransientStorageError
from mink_core.limits import MAX_CALL_EVENTS
from mink_memory import MemoryEventStore

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    try:
        made = Cluster(synchronous=True, nodes=2)
    except CannotInflictError as reason:
        pytest.skip(str(reason))
    with made:
        yield made


def test_nothing_is_lost_when_the_primary_is_killed(cluster: Cluster) -> None:
    drill = synchronous(cluster, 0, lambda _: None, writers=2)
    assert drill.passed, drill
    assert drill.verdict.acknowledged > 50
    assert drill.strikes[0].gap < 60


def test_more_positions_are_taken_than_a_call_holds() -> None:
    """What a second loses: 3,045 events on two busy cores, and many times that on a machine of its own."""
    with MemoryEventStore() as store:
        take_positions(store, MAX_CALL_EVENTS + 1)
        assert store.stream_info("after-1").version == MAX_CALL_EVENTS + 1


VERDICT = Verdict("failover", 1, 1000, 1000, 0, 0, 2.5)
FINDINGS: dict[str, tuple[Any, int]] = {
    "all is well": (Drill((Strike("node lost", 2.5, 2.6, "node2"),), VERDICT), 0),
    "an event is lost": (Drill((Strike("node lost", 2.5, 2.6, "node2"),), VERDICT._replace(lost=1)), 1),
    "a reader skipped": (Drill((Strike("node lost", 2.5, 2.6, "node2"),), VERDICT._replace(problems=("skipped",))), 1),
    "it cannot be run": (CannotInflictError("no etcd"), 2),
    "no node answers": (TransientStorageError("no etcd"), 1),
}


@pytest.mark.parametrize(("found", "status"), FINDINGS.values(), ids=list(FINDINGS))
def test_the_command(
    found: Any, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ran(*_: Any, **__: Any) -> Drill:
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Drill)
        return found

    monkeypatch.setattr(command, "_run", ran)
    assert command.main([]) == status
    if isinstance(found, Drill):
        assert "1,000 acknowledged" in capsys.readouterr().out
        assert command.main(["--json"]) == status
        assert json.loads(capsys.readouterr().out)["strikes"][0]["kind"] == "node lost"
    else:
        assert ": no etcd" in capsys.readouterr().err
