"""What the documentation takes from the code is current, and every page can be reached."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import mink_core

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> Any:
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("generate")
    finally:
        sys.path.remove(str(DOCS))


def test_generated_pages_are_current(generate: Any) -> None:
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in generate.written().items()
        if path.read_text("utf-8") != text
    ]
    assert stale == [], "run: python docs/generate.py"


def test_pictures_are_those_that_pages_show(generate: Any) -> None:
    results = generate.benchmark_results
    drawn = {path.name for path in (DOCS / results.PLOTS).iterdir()}
    assert drawn == results.plots(DOCS), "run: python docs/generate.py"
    shown = "\n".join(path.read_text("utf-8") for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
    pictures = {path.relative_to(DOCS).as_posix() for path in (DOCS / "pictures").rglob("*.svg")}
    assert {picture for picture in pictures if picture not in shown} == set()


def test_results_tell_conflicts_costs_and_tuning(generate: Any, tmp_path: Path) -> None:
    def case(name: str, rate: float, **beside: dict[str, float]) -> dict[str, Any]:
        rates = {"rates": [rate, rate], "median": rate, "min": rate, "max": rate, "p50_ms": 1.0, "p99_ms": 2.0}
        return {"name": name, **rates, "beside": beside}

    cases = [
        case("grouped, 64", 3000, **{"conflicts/s": {"median": 4321}}),
        case("not grouped, 64", 1500, **{"conflicts/s": {"median": 21}}),
    ]
    server = dict.fromkeys(("server_version", "fsync", "synchronous_commit"), "on")
    environment = {"when": "2026-11-24T", "python": "3.11", "machine": "x", "cpus": 2, "server": server}
    costs = {
        "one append": [{"name": "a", "client": 1.23, "server": None}, {"name": "b", "client": 2.0, "server": 4.56}]
    }
    groups = {"append-conflict": {"cases": cases, "baseline": "grouped, 64"}}
    tuned = {"max_size=25": 1.0, "max_size=2": 0.87}
    compared = [
        {**case(name, 1000 * it), "ratio": dict.fromkeys(("median", "min", "max"), it)} for name, it in tuned.items()
    ]
    tuning = [{"knob": "pool", "work": "64 tasks", "cases": compared}]
    (tmp_path / "benchmarks").mkdir()
    runs = {"conflicts": {"groups": groups}, "costs": {"costs": costs}, "tuning": {"tuning": tuning}}
    for name, result in runs.items():
        text = json.dumps({"environment": environment, **result})
        (tmp_path / "benchmarks" / f"{name}.json").write_text(text, "utf-8")
    page, plots = (getattr(generate.benchmark_results, name)(tmp_path) for name in ("page", "plots"))
    assert "| p99 ms | ratio | conflicts/s |" in page
    assert "| grouped, 64 | 3,000 | 3,000 | 3,000 | 1.00 | 2.00 | 1.00 | 4,321 |" in page
    assert "| not grouped, 64 | 1,500 | 1,500 | 1,500 | 1.00 | 2.00 | 0.50 | 21.00 |" in page
    assert "| a | 1.2 | not counted |\n| b | 2.0 | 4.6 |" in page
    assert "| pool: max_size=25 | 64 tasks | 1,000 | 1.00 | 1.00 | 1.00 |" in page
    assert "| pool: max_size=2 | 64 tasks | 870 | 0.87 | 0.87 | 0.87 |" in page
    assert plots == {
        "append-conflict-conflicts.svg",
        "append-conflict-latencies.svg",
        "cost-of-one-append.svg",
        "tuning.svg",
    }
    assert all(f"pictures/benchmarks/{name}" in page for name in plots)


def test_each_rule_of_the_contract_leads_to_its_checks(generate: Any) -> None:
    contract, rules = (DOCS / "contract.md").read_text("utf-8"), (DOCS / "rules.md").read_text("utf-8")
    for number in generate.RULES:
        assert f"**[{number}](rules.md#{number.lower()})**" in contract
        place = rules.partition(f"### {number}\n")[2].partition("\n### ")[0]
        assert "`checks/" in place or "Not proved by a check:" in place, number
    # A rule that is told nowhere, and a check that is told twice, would be seen here.
    assert generate.contract_page("- **APPEND-01** x\n- **NONE-01** y\n") == (
        "- **[APPEND-01](rules.md#append-01)** x\n- **NONE-01** y\n"
    )


def _pages(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [page for item in (nav.values() if isinstance(nav, dict) else nav) for page in _pages(item)]


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = _pages(site["nav"])
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    reached_by_their_list = {path for path in there if re.fullmatch(r"decisions/\d+.*", path)}
    assert set(pages) == there - reached_by_their_list
    assert len(pages) == len(set(pages))


def test_the_reference_has_every_public_name() -> None:
    text = "\n".join(path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md")))
    named = re.findall(r"^::: mink_core\.(\w+)$", text, re.MULTILINE)
    assert sorted(set(named) - {"adapter", "testing"}) == sorted(set(mink_core.__all__) - {"__version__"})
    assert len(named) == len(set(named))


def test_nothing_is_fetched_from_elsewhere() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    assert site["theme"]["font"] is False
    assert site["strict"] is True
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "http" not in text
