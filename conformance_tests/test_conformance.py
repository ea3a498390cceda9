"""What `pytest --pyargs conformance_tests --mink-target TARGET` runs: a test a check."""

from __future__ import annotations

from conformance_tests.suite import ConformanceSuite


class TestConformance(ConformanceSuite):
    """Each check of the level. A class, so that the target is entered once and not for each check."""
