"""The conformance kit: runs the contract's rules against any event store, and says what is wrong with it.

It imports the public names of `mink_core` only and knows no adapter. How a check is written stands
in `conformance_tests.check`; what a check is given, in `conformance_tests.lab`.
"""

from conformance_tests.check import Check, Layer, check
from conformance_tests.failure import CheckFailedError
from conformance_tests.lab import Lab
from conformance_tests.level import Level
from conformance_tests.runner import Report, Result, Status, run
from conformance_tests.target import Target, target_of

__all__ = [
    "Check",
    "CheckFailedError",
    "Lab",
    "Layer",
    "Level",
    "Report",
    "Result",
    "Status",
    "Target",
    "check",
    "run",
    "target_of",
]
