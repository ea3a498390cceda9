"""The two ways in by pytest give the same as the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SUITE = """
from conformance_tests.suite import ConformanceSuite
from tests.conformance import stores

class TestBroken(ConformanceSuite):
    level = "smoke"

    @staticmethod
    def open(namespace):
        return stores.exists_is_any(namespace)
"""


def _pytest(*arguments: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--numprocesses=0",
        "--mink-rules",
        "*stream_exists_needs*",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_the_plugin() -> None:
    passed = _pytest("--pyargs", "conformance_tests", "--mink-target", "memory://")
    assert "1 passed" in passed
    failed = _pytest("--pyargs", "conformance_tests", "--mink-target", "tests.conformance.stores:exists_is_any")
    assert "1 failed" in failed
    assert "APPEND-04" in failed
    assert "expected: ConcurrencyError" in failed
    assert "--mink-target TARGET" in _pytest("--pyargs", "conformance_tests")


def test_the_target_is_entered_once_for_all_checks() -> None:
    """One that starts a server would start it anew for each."""
    planned = _pytest(
        "--pyargs", "conformance_tests", "--mink-target", "memory://", "--mink-rules", "JSON-*", "--setup-plan"
    )
    assert planned.count("(fixtures used: ") > 5
    assert planned.count("SETUP    C mink_target") == 1


def test_the_class(tmp_path: Path) -> None:
    path = tmp_path / "test_broken_store.py"
    path.write_text(_SUITE)
    told = _pytest("--rootdir", str(tmp_path), str(path))
    assert "1 failed" in told
    assert "APPEND-04" in told
