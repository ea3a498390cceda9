"""Trials of the zoo in a file: a matrix that was interrupted goes on, and members that changed run alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance_tests.check import all_checks
from conformance_tests.results import Result, Status
from conformance_tests.zoo.matrix import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance_tests.zoo import Member


def keep(path: Path, seed: int, trial: Trial) -> None:
    """Add a trial to the file, a line of JSON."""
    record = {
        "member": trial.member.name,
        "seed": seed,
        "missing": sorted(trial.missing),
        "results": [
            {"check": it.check.name, "status": it.status.value, "seconds": it.seconds, "seed": it.seed}
            for it in trial.results
        ],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def kept(path: Path, members: Sequence[Member]) -> dict[tuple[int, str], Trial]:
    """The trials of the file by seed and member; the later one counts, and members that are no more are left out."""
    by_name = {member.name: member for member in members}
    checks = {check.name: check for check in all_checks()}
    found: dict[tuple[int, str], Trial] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        record: dict[str, Any] = json.loads(line)
        if (member := by_name.get(record["member"])) is not None:
            results = [
                Result(checks[it["check"]], Status(it["status"]), it["seconds"], it["seed"])
                for it in record["results"]
                if it["check"] in checks
            ]
            found[record["seed"], member.name] = Trial(member, results, frozenset(record["missing"]))
    return found
