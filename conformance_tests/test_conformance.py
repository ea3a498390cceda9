"""What `pytest --pyargs conformance_tests --mink-target TARGET` runs: a test a check."""

from __future__ import annotations

import pytest


@pytest.mark.usefixtures("mink_run")
def test_rule(mink_check: object) -> None:
    """Each check of the level."""
    del mink_check
