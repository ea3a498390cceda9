"""The README's examples run as they stand, on every adapter they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
PRIVATE = "memory://"
"""In place of a named store, which lives as long as the process, and other tests run the README as well."""
EXAMPLE, DURABLE, AROUND = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("adapter", ["memory", "postgresql"])
def test_the_stores_around_the_log(
    adapter: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    code = AROUND.replace("memory://shop", PRIVATE)
    if adapter == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("schema")
        code = code.replace(PRIVATE, f"{url}?schema={schema}").replace(
            "as store:", "as store:\n    store.initialize()", 1
        )
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert capsys.readouterr().out.split() == [str(names["placed"].event_id)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("adapter", ["memory", "postgresql"])
def test_the_example(adapter: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLE.splitlines()) <= 24
    code = EXAMPLE.replace("memory://orders", PRIVATE)
    if adapter == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("schema")
        code = code.replace(PRIVATE, f"{url}?schema={schema}")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "1 order-1 1 OrderPlaced {'total': 1200}",
        "2 order-1 2 OrderPaid {'of': 1200}",
    ]


@pytest.mark.parametrize("adapter", ["memory", "postgresql"])
def test_the_durable_subscription(
    adapter: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    code = DURABLE.replace("memory://accounts", PRIVATE)
    if adapter == "postgresql":
        url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("schema")
        code = code.replace(PRIVATE, f"{url}?schema={schema}")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "{'amount': 5}\n"


def test_the_commands_are_those_that_ci_runs() -> None:
    ci = (Path(__file__).parents[1] / ".ci" / "run").read_text("utf-8")
    assert "pip install -e '.[dev]' && pytest" in README
    assert "-e '.[dev]' && pytest" in ci
