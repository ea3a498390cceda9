"""The commands of docs/guides/from-go-mink.md take over tables as go-mink makes and fills them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from mink_core import open_store
from tests.postgres.test_adoption import GO_MINK, NAIVE
from tests.postgres.test_migrations import FILL, raw

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "from-go-mink.md").read_text("utf-8")
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
ADDRESS = "postgresql://localhost/app"


def told(script: str, url: str, folder: Path) -> str:
    environment = os.environ | {
        "MINK_STORE_URL": url,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_commands_take_the_tables_over(postgres_url: str, schema: str, tmp_path: Path) -> None:
    url = f"{postgres_url}?schema={schema}"
    raw(postgres_url, schema, NAIVE + GO_MINK + FILL)
    stored = raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1")
    assert ADDRESS in COMMANDS
    told("\n".join(line for line in COMMANDS.splitlines() if ADDRESS not in line), url, tmp_path)
    assert "CREATE" in (tmp_path / "take-over.sql").read_text("utf-8")
    assert raw(postgres_url, schema, "SELECT * FROM {schema}.events ORDER BY 1") == stored
    # What the guide says to check.
    told("mink check", url, tmp_path)
    assert told("mink read order-1", url, tmp_path).count("\n") == 2
    with open_store(url) as store:
        assert store.head_position() == 3
        assert next(iter(store.read_stream("order-1"))).data["ratio"] == 1.0
        assert type(next(iter(store.read_stream("order-1"))).data["ratio"]) is float
        # A checkpoint of go-mink's stays where it was, as one that belongs to no history yet.
        assert store.checkpoints.load("totals").position == 2  # type: ignore[union-attr]
