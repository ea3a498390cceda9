"""The example passes every check of what it declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_sqlite import SqliteEventStore

from conformance_tests import Level, Status, run, target_of

if TYPE_CHECKING:
    from pathlib import Path


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    with target_of(lambda namespace: SqliteEventStore(f"{tmp_path}/{namespace}.db")) as target:
        report = run(target, level=Level.SMOKE)
    assert [f"{it.check.id}: {it.what}" for it in report.results if it.status is Status.FAILED] == []
    assert sum(it.status is Status.PASSED for it in report.results) > 60
