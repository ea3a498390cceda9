"""Runs of the kit: what passes, what fails, what is told, and that it can be done again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from conformance_tests import Layer, Level, Status, run, target_of
from conformance_tests.__main__ import main
from conformance_tests.failure import CheckFailedError
from conformance_tests.lab import BUDGETS, Budget
from conformance_tests.model import machine
from conformance_tests.patience import patience, wait_until
from conformance_tests.replaying import keep, load, replay
from conformance_tests.report.html import as_html
from conformance_tests.report.timeline import as_svg, as_text
from conformance_tests.rules import RULES
from tests.conformance import stores


def _run(opener: Any, *patterns: str, **more: Any) -> Any:
    with target_of(opener) as target:
        return run(target, level=Level.SMOKE, seed=1, select=lambda it: any(map(it.matches, patterns)), **more)


def test_memory_passes_at_smoke_with_every_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And so the command of README.md does."""
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html", "markdown", "badge")}
    options = [part for kind, path in files.items() for part in (f"--{kind}", str(path))]
    assert main(["memory://", "--level", "smoke", "--seed", "1", *options]) == 0
    assert "0 failed" in capsys.readouterr().out
    record = json.loads(files["json"].read_text())
    assert record["passed"] is True
    assert record["seed"] == 1
    assert {rule["number"] for rule in record["rules"]} == set(RULES)
    assert not [rule for rule in record["rules"] if rule["status"] == "failed"]
    suite = ET.fromstring(files["junit"].read_text())
    assert len(suite.findall(".//testcase")) == len(record["results"])
    assert suite.findall(".//failure") == []
    ET.fromstring(files["badge"].read_text())
    assert "APPEND" in files["markdown"].read_text()
    page = files["html"].read_text()
    assert "Every check passed" in page
    assert "http" not in page.replace("http://www.w3.org", "")


OF_TYPES = ("APPEND-09", "APPEND-11", "JSON-01", "READ-05", "OUTBOX-01")
"""What tells whether json columns are as good as jsonb."""


@pytest.mark.parametrize(
    ("door", "options", "wanted"),
    [
        ("sync", "", ("FEED-0*", "TX-01", "READ-05")),
        ("async", "", ("TX-01", "LIFE-01")),
        ("asyncpg", "", ("TX-01", "LIFE-01")),
        ("sync", "?json_type=json", OF_TYPES),
        ("asyncpg", "?json_type=json", OF_TYPES),
    ],
)
def test_postgres_passes(postgres_url: str, door: str, options: str, wanted: tuple[str, ...]) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+asyncpg://") if door == "asyncpg" else postgres_url
    with target_of(f"{url}{options}", door=None if door == "asyncpg" else door) as target:
        report = run(
            target,
            level=Level.SMOKE,
            seed=1,
            select=lambda it: it.layer is Layer.EXAMPLE and any(map(it.matches, wanted)),
        )
    assert [(it.check.id, it.what, it.seen) for it in report.failures] == []
    assert report.has_gate
    assert len(report.results) > 10


def test_async_memory_passes() -> None:
    report = _run(stores.sound_async, "TX-*", "SUB-01", "SUB-03")
    assert [(it.check.id, it.what, it.seen) for it in report.failures] == []


def test_a_store_that_writes_slowly_passes() -> None:
    """Its first worker ends before its checkpoint is stored, so the second one handles those events again."""
    report = _run(stores.saves_late, "one_worker_is_active_and_another_takes_over")
    assert [result.status for result in report.results] == [Status.PASSED], report.failures


def test_a_store_with_short_pages_passes() -> None:
    """`limit` is the most that a page may have, and not what it has."""
    named = ("bounds_and_limits_of_the_feed", "long_streams_are_read_whole", "filters_by_partition")
    judged = ("a_long_call_is_seen_whole_or_not_at_all", "racing_appends_are_linearizable")
    report = _run(stores.short_pages, *(f"*:{name}" for name in named + judged))
    assert len(report.results) == len(named + judged)
    assert [(it.check.id, it.what, it.seen) for it in report.failures] == []


def test_a_store_that_is_far_away_passes() -> None:
    report = _run(stores.lagging, "OUTBOX-02")
    assert [(it.check.id, it.what, it.seen) for it in report.failures] == []


def test_progress_is_waited_for_and_a_standstill_is_not() -> None:
    begun = time.monotonic()
    looks = count()
    with patience(0.1):
        wait_until(lambda: time.monotonic() > begun + 0.15, "it goes on", lambda: next(looks))
        with pytest.raises(CheckFailedError, match="it stands still"):
            wait_until(lambda: False, "it stands still", lambda: 7)
        with pytest.raises(CheckFailedError, match="it never ends"):
            wait_until(lambda: False, "it never ends", lambda: next(looks))


def test_what_a_standstill_does_not_explain_fails_at_once() -> None:
    """A worker that lost its lease handles an event twice; that it goes out of order is not tried again."""
    report = _run(stores.turns_once, "*:partitions_keep_the_order_of_each_stream")
    assert [result.what for result in report.failures] == [
        "the versions of each stream, in the order in which each was first handled"
    ]


def test_a_slow_store_is_given_fewer_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine._DRAWING, Level.SMOKE, 0.2)
    opened: set[str] = set()

    def slow(namespace: str) -> Any:
        opened.add(namespace)
        return stores.slow(namespace)

    result = _run(slow, "*programs*").results[0]
    assert result.status is Status.PASSED
    assert 1 <= result.counters["programs"] < BUDGETS[Level.SMOKE].examples
    # A program that is not run opens no store either: that alone may take a second.
    assert len(opened) <= result.counters["programs"] + 4


def test_one_seed_draws_the_same() -> None:
    counters = [_run(stores.sound, "*programs*").results[0].counters for _ in range(2)]
    assert counters[0] == counters[1]
    assert counters[0]["calls"] > 100


def test_a_failing_program_is_small_and_fails_again_just_so(tmp_path: Path) -> None:
    report = _run(stores.exists_is_any, "*programs*")
    (failure,) = report.failures
    assert failure.broken.number == "APPEND-04"
    assert len(failure.timeline) == 1
    assert failure.timeline[0].at_fault
    assert "STREAM_EXISTS" in as_text(failure.timeline)
    assert "bar fault" in as_svg(failure.timeline)
    with target_of("tests.conformance.stores:exists_is_any") as target:
        kept = keep(failure, target, Level.SMOKE, tmp_path)
        assert kept.command.startswith("python -m conformance_tests tests.conformance.stores:exists_is_any --replay ")
        again = replay(load(tmp_path / f"{failure.check.name}.json"), target)
    assert (again.what, again.expected, again.seen) == (failure.what, failure.expected, failure.seen)
    with target_of(stores.sound) as target:
        assert replay(load(tmp_path / f"{failure.check.name}.json"), target).status is Status.PASSED


def test_a_failure_on_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance_tests"]
    target = "tests.conformance.stores:exists_is_any"
    page = tmp_path / "report.html"
    options = ["--level", "smoke", "--rules", "APPEND-04", "--html", str(page), "--failures", str(tmp_path / "kept")]
    first = subprocess.run([*command, target, *options], capture_output=True, text=True, check=False)
    assert first.returncode == 1, first.stderr
    assert RULES["APPEND-04"].text in first.stdout
    assert "--replay" in first.stdout
    assert "<svg" in page.read_text()
    kept = tmp_path / "kept" / "stream_exists_needs_a_stream.json"
    second = subprocess.run([*command, "--replay", str(kept)], capture_output=True, text=True, check=False)
    assert second.returncode == 1, second.stderr
    assert "It failed the same way." in second.stdout


def test_fields_of_errors_are_compared() -> None:
    report = _run(stores.wrong_actual, "APPEND-03")
    assert {"exact_conflict_tells_the_true_version", "programs_answer_as_the_model"} <= {
        it.check.name for it in report.failures
    }


def test_an_undeclared_capability_must_be_refused() -> None:
    report = _run(stores.without_batches, "CAP-01", "APPEND-11")
    assert [it.check.name for it in report.failures] == ["append_batch_works_or_is_refused"]
    assert report.count(Status.NOT_DECLARED) >= 5
    verdict = next(it for it in report.verdicts() if it.rule.number == "CAP-01")
    assert verdict.status is Status.FAILED


def test_a_store_that_hangs_fails_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("conformance_tests.runner").runner._LIMITS, Level.SMOKE, 5.0)
    report = _run(stores.hanging, "initialize_is_idempotent", "a_missing_stream_reads_as_empty")
    by_name = {it.check.name: it for it in report.results}
    assert by_name["a_missing_stream_reads_as_empty"].status is Status.FAILED
    assert "did not end" in by_name["a_missing_stream_reads_as_empty"].what
    assert by_name["initialize_is_idempotent"].status is Status.PASSED
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("check ")]


def test_minutes_go_on_with_other_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Budget(examples=3, steps=5, histories=1, seconds=1)
    once = _run(stores.sound, "*programs*", budget=few)
    passes: list[Any] = []
    # A clock of its own: three passes fit, however long they take.
    clock = SimpleNamespace(perf_counter=lambda: 60.0 * len(passes))
    monkeypatch.setattr("conformance_tests.runner.time", clock)
    more = _run(stores.sound, "*programs*", budget=few, minutes=2, begins=passes.append)
    assert len(passes) == 3
    assert more.results[0].counters["programs"] > once.results[0].counters["programs"]


def test_the_page_escapes_what_stores_say() -> None:
    report = _run(stores.exists_is_any, "stream_exists_needs_a_stream")
    object.__setattr__(report.results[0], "seen", "<script>alert(1)</script>")
    assert "<script>" not in as_html(report)


def test_three_hanging_checks_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runner: Any = __import__("conformance_tests.runner").runner
    monkeypatch.setitem(runner._LIMITS, Level.SMOKE, 0.2)
    monkeypatch.setattr(runner, "_ABANDONING", 0.1)
    report = _run(stores.asleep, "*a_stream*", "*_of_a_stream*", "*limits*")
    assert len(report.failures) == 3
    assert report.results[-1].status is Status.FAILED
    assert "the rest was not run" in report.results[-1].notes[-1]
