"""What the code sends its readers to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "benchmarks",
    "conformance_tests",
    "mink_core",
    "mink_jetstream",
    "mink_memory",
    "mink_postgres",
    "mink_pytest",
)
_PATH = re.compile(
    r"(?<![\w/.-])(?:docs|examples|tests|benchmarks|mink_\w+|conformance_tests)/[\w/.-]+\.(?:py|md|sql|toml|c)\b"
)


@pytest.mark.parametrize("package", SHIPPED)
def test_files_that_docstrings_and_comments_name_exist(package: str) -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / package).rglob("*.py")
        for name in _PATH.findall(path.read_text())
    }
    assert [(where, name) for where, name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_file_that_is_named_is_seen() -> None:
    assert _PATH.findall("see `examples/gone.py`, or conformance_tests/check.py.") == [
        "examples/gone.py",
        "conformance_tests/check.py",
    ]
