"""`python -m tests.release`: build, look into what was built, install it where nothing else is, and prove it there."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mink_core import __version__
from tests.release.portable import index_platform
from tests.release.wheel import problems_of

ROOT = Path(__file__).parents[2]
_TYPED = """
from mink_core import NewEvent, open_store
with open_store("memory://") as store:
    store.append("a-1", [NewEvent("Made", {})], expected_version=0)
    reveal_type(store)
"""
_IMPORTS_CORE_ALONE = """
import sys, mink_core
from mink_core import open_store
with open_store("memory://") as store:
    store.initialize()
assert not {"psycopg", "asyncpg", "typer", "pytest"} & sys.modules.keys()
try:
    open_store("postgresql://localhost/app")
except ImportError as error:
    assert "mink-eventstore[postgres]" in str(error), error
else:
    raise AssertionError("a missing driver was not told")
"""


def main() -> int:
    """Run all of it.

    Returns:
        0; 1 where something is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="whose environments are made")
    parser.add_argument("--level", default="smoke", choices=["smoke", "standard"])
    parser.add_argument("--dist", type=Path, help="a folder that keeps what was built, once all of it holds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mink-release-") as folder:
        place = Path(folder)
        platform = index_platform()
        environment = {**os.environ, **({"MINK_WHEEL_PLATFORM": platform} if platform else {})}
        _run("build", [sys.executable, "-m", "build", "--outdir", str(place / "dist"), str(ROOT)], env=environment)
        [wheel], [sdist] = (place / "dist").glob("*.whl"), (place / "dist").glob("*.tar.gz")
        problems = [*problems_of(wheel, ROOT), *_in_sdist(sdist)]
        if problems:
            print("\n".join(f"{wheel.name} {problem}" for problem in problems))
            return 1
        _say(f"{wheel.name}: {wheel.stat().st_size:,} bytes, as it should be")
        _bare(given.python, place / "bare", wheel)
        _whole(given.python, place / "whole", wheel, given.level)
        if given.dist is not None:
            shutil.copytree(place / "dist", given.dist, dirs_exist_ok=True)
    _say("all of it holds")
    return 0


def _in_sdist(path: Path) -> list[str]:
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    return [
        f"the sdist lacks {name}"
        for name in (
            "LICENSE",
            "README.md",
            "hatch_build.py",
            "mink_core/_compiled.c",
            "mink_postgres/_rows.c",
            "pyproject.toml",
            "tests/conftest.py",
        )
        if name not in names
    ]


def _bare(python: str, place: Path, wheel: Path) -> None:
    """Without any extra: memory works, and what is missing is told."""
    bin_dir = _environment(python, place)
    _run("install the wheel alone", [str(bin_dir / "pip"), "install", "-q", str(wheel)])
    _run("the core by itself", [str(bin_dir / "python"), "-c", _IMPORTS_CORE_ALONE], cwd=place)
    told = subprocess.run([str(bin_dir / "mink"), "info"], capture_output=True, text=True, check=False, cwd=place)
    _check(
        "mink without its extra says so", told.returncode == 2 and "mink-eventstore[cli]" in told.stderr, told.stderr
    )


def _whole(python: str, place: Path, wheel: Path, level: str) -> None:
    """With what a user installs: the command, the kit, a PostgreSQL; no file of the sources is near."""
    bin_dir = _environment(python, place)
    _run("install with extras", [str(bin_dir / "pip"), "install", "-q", f"{wheel}[conformance,server,asyncpg]", "mypy"])
    told = _run("mink --version", [str(bin_dir / "mink"), "--version"], cwd=place)
    _check("the version comes from one place", told == f"mink {__version__}\n", told)
    typed = place / "typed.py"
    typed.write_text(_TYPED, "utf-8")
    told = _run("its types are seen", [str(bin_dir / "mypy"), "--strict", str(typed)], cwd=place)
    _check("a store is a Store", 'Revealed type is "mink_core.subscriber.Store"' in told, told)
    # The whole kit and its files once; of the other adapter only that it is there and answers.
    for target, rules in (("memory://", []), ("postgresql+embedded://", ["--rules", "SNAP-*"])):
        command = [str(bin_dir / "mink"), "conformance", target, "--level", level, *rules]
        _run(f"conformance of {target}", command, cwd=place)
    environment = {**os.environ, "MINK_POSTGRES_ORIGIN": "wheel"}
    _run("mink demo", [str(bin_dir / "mink"), "demo", "--seconds", "1", "--no-rules"], cwd=place, env=environment)
    test = place / "test_fixture.py"
    test.write_text("def test_it(mink_store):\n    assert mink_store.head_position() == 0\n", "utf-8")
    command = [str(bin_dir / "pytest"), "-q", "-p", "no:cacheprovider", "test_fixture.py"]
    _run(
        "the fixtures",
        [*command, "--mink-store", "memory://", "--mink-store", "postgresql+embedded://?fsync=off"],
        cwd=place,
    )


def _environment(python: str, place: Path) -> Path:
    _run(f"an environment of {python}", [python, "-m", "venv", str(place)])
    return place / "bin"


def _run(what: str, command: list[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    _say(what)
    clean = {name: value for name, value in (env or os.environ).items() if name not in {"PYTHONPATH", "MINK_STORE_URL"}}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=clean)
    _check(what, done.returncode == 0, f"{done.stdout}{done.stderr}")
    return done.stdout


def _check(what: str, held: bool, told: str) -> None:
    if not held:
        print(told, file=sys.stderr)
        sys.exit(f"{what}: failed")


def _say(what: str) -> None:
    print(what, flush=True)


if __name__ == "__main__":
    sys.exit(main())
