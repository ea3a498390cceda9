"""The benchmark command: what is wrong is told in a line, how far a run is, and its plots."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from mink_benchmarks.cli import main
from mink_benchmarks.growth import HOWS
from mink_benchmarks.plots import draw
from mink_benchmarks.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path


from tests.benchmarks.measured import QUICK, run_of, series


def test_names_of_cases_are_looked_at_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", "append-1", "--writers", "1", "--seconds", "3600", "--store", "memory://"]
    assert main([*run, "--baseline", "no such"]) == 2
    assert "there are: 'memory sync, 1'" in capsys.readouterr().err
    assert main([*run, "--store", "memory://"]) == 2
    assert "LABEL=URL" in capsys.readouterr().err


def test_what_is_wrong_is_told_in_a_line_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    other = tmp_path / "other.json"
    other.write_text("[1, 2]")
    measured = tmp_path / "run.json"
    measured.write_text(json.dumps(run_of(base=[1.0])))
    run = ["run", "append-1", "--store", "memory://", "--seconds", "3600"]
    for arguments, told in [
        ([*run, "--compare", str(tmp_path / "none.json")], "cannot be read"),
        ([*run, "--payload", str(broken)], "is not JSON"),
        (["verdict", str(broken)], "is not JSON"),
        (["plots", str(broken), str(tmp_path)], "is not JSON"),
        ([*run, "--compare", str(other)], "is no result of mink bench"),
        (["verdict", str(other)], "is no result of mink bench"),
        (["verdict", str(measured)], "is no result of mink bench goals"),
        (["plots", str(other), str(tmp_path)], "is no result of mink bench"),
    ]:
        assert main(arguments) == 2
        assert told in capsys.readouterr().err
    broken.write_text('{"groups": {}}')
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "mink_benchmarks.plots")
    assert main(["plots", str(broken), str(tmp_path)]) == 2
    assert "pip install 'mink-eventstore[bench]'" in capsys.readouterr().err


def test_progress_is_a_line_that_changes_on_a_terminal_and_rare_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("mink_benchmarks.progress.time.monotonic", lambda: now)
    log = Progress()
    for second in range(130):
        now = float(second)
        log(f"round {second}")
    assert capsys.readouterr().err == "round 60\nround 120\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Progress()("round 1")
    assert capsys.readouterr().err.endswith("\x1b[2Kround 1")


def test_plots_are_drawn_of_what_a_run_has(tmp_path: Path) -> None:
    cases = [series(f"mink, {writers}", 100 * writers, 110 * writers).as_json() for writers in (1, 16)]
    ratio = {"ratio": {"median": 0.9, "min": 0.8, "max": 1.0}}
    steps = [{"events": 10**n, "sizes": {"events": 10**n}, **dict.fromkeys(HOWS, ratio)} for n in (5, 6)]
    result = {
        "groups": {"append-1": {"cases": cases}},
        "growth": steps,
        "extrapolated": {"events": 1e7, "appends": 0.7},
        "tuning": [{"knob": "pool", "work": "1 task", "cases": [{"name": name, **ratio} for name in ("25", "2")]}],
    }
    made = {path.name for path in draw(result, tmp_path)}
    names = (
        "append-1-rates",
        "append-1-throughput",
        "append-1-latency",
        "append-1-latencies",
        "growth",
        "growth-sizes",
        "tuning",
    )
    assert made == {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    assert all((tmp_path / name).stat().st_size > 1000 for name in made)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "append-1", "--store", "nonsense"], 2, "module:callable"),
        (["run", "append-1", "--store", "no_such_module:store"], 2, "No module named 'no_such_module'"),
        (["run", "append-1", "--store", "json:no_such_name"], 2, "no_such_name"),
        (["run", "append-1", "--store", "json:loads"], 2, "without arguments"),
        (["run", "append-1", "--store", "builtins:dict"], 2, "a dict, which is no store"),
        (["run", "append-1", "--server", "localhost"], 2, "a server is postgresql://"),
        (["run", "append-1", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["goals", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["cost", "--server", "postgresql://localhost:1/x", "--quiet"], 3, "nothing was measured"),
        (["growth", "--server", "postgresql://localhost:1/x"], 3, "nothing was measured"),
        (["goals", "--only", "no-such-group"], 2, "there are: one, tasks"),
        (["run", "append-1", "--json", "/proc/no/such.json"], 2, "cannot be written"),
        (["run", "append-1", "--json", "/"], 2, "cannot be written"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("mink bench: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "no-such-scenario"],
        ["run", "append-1", "--rounds", "0"],
        ["run", "append-1", "--seconds", "-1"],
        ["run", "append-1", "--writers", "0"],
        ["run", "append-1", "--writers", "1001"],
        ["run", "replay", "--events", "5"],
        ["growth", "--to", "5"],
        ["cost", "--rounds", "5"],
        ["tuning", "--only", "no-such-setting"],
    ],
    ids=" ".join,
)
def test_numbers_that_cannot_be_measured_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_role_that_may_make_no_schema_is_told(
    admin_url: str, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = urlsplit(postgres_url)
    role = "mink_bench_reader"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    try:
        url = f"postgresql://{role}:plain@{parts.hostname}:{parts.port}{parts.path}"
        assert main(["run", "append-1", "--server", url, *QUICK]) == 2
        assert f"{role} may not create schemas" in capsys.readouterr().err
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("url", ["postgres://me:longpassword@localhost:1/x", "postgresql://me:longpassword@[::1/x"])
def test_no_password_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "append-1", "--server", url, *QUICK]) == 2
    told = capsys.readouterr().err
    assert "mink bench: " in told
    assert "longpassword" not in told
