"""What `pytest --pyargs conformance_tests --mink-target TARGET` runs: a test a check."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance_tests.check import Check


def test_rule(mink_check: Check, mink_run: Callable[[Check], None]) -> None:
    """Each check of the level."""
    mink_run(mink_check)
