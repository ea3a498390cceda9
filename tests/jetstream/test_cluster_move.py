"""A store goes from PostgreSQL to JetStream to memory by the commands of docs/scale-out.md, and is the same."""

from __future__ import annotations

from tests.soak.move import move


def test_a_moved_store_is_the_same_in_each_storage() -> None:
    report = move(1500)
    assert report["equal"], report
    assert report["events"] == 1500
    assert len(set(report["order"])) == 1
