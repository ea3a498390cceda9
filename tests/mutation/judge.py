"""Run in a copy of the tree that holds one mutant: exit code 1 where the conformance suite sees it.

The suite alone, at `smoke`, on memory: as it stands, and with unique event ids.
"""

from __future__ import annotations

import sys

from conformance_tests.level import Level
from conformance_tests.runner import Status, run
from conformance_tests.target import target_of

TARGETS = {"memory://": "*", "memory://unique?unique_event_ids=true": "APPEND-*"}
"""Each with the rules that are looked at."""


def main() -> int:
    for spec, rules in TARGETS.items():
        with target_of(spec, door="sync") as target:
            report = run(
                target,
                level=Level.SMOKE,
                seed=int(sys.argv[1]),
                select=lambda check, rules=rules: check.matches(rules),
                stop_at_failure=True,
            )
        for result in report.results:
            if result.status is Status.FAILED:
                print(result.check.id)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
