"""`python -m conformance_tests TARGET`."""

from __future__ import annotations

import sys

from conformance_tests.check import Level
from conformance_tests.runner import Status, run
from conformance_tests.target import target_of


def main() -> int:
    """Run the checks against the target named on the command line."""
    with target_of(sys.argv[1]) as target:
        report = run(target, level=Level.SMOKE)
    for result in report.results:
        print(result.status.value, result.check.id, result.what)  # noqa: T201 -- a command line
        if result.status is Status.FAILED:
            print(f"  expected {result.expected}\n  seen {result.seen}")  # noqa: T201 -- as above
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
