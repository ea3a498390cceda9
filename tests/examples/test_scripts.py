"""The examples that are one file each run by one command. The others have tests of their own, beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ran(name: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plot_projection(tmp_path: Path) -> None:
    picture = tmp_path / "takings.png"
    assert "euros taken" in ran("plot_projection.py", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


def test_sqlalchemy_session(postgres_url: str) -> None:
    told = ran("sqlalchemy_session.py", postgres_url)
    assert told.splitlines() == ["['order-1']", "[{'id': '1', 'total': 1200}]"]


def test_every_script_is_here() -> None:
    known = Path(__file__).read_text("utf-8")
    assert all(path.name in known for path in (ROOT / "examples").glob("*.py"))
