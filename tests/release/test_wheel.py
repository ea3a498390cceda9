"""The wheel holds what it should, and a wheel that does not is seen. `python -m tests.release` does the rest."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.compiled import needs_compiled
from tests.release.wheel import COMPILED, PACKAGES, problems_of

ROOT = Path(__file__).parents[2]


def built(folder: Path, **environment: str) -> tuple[Path, str]:
    """A wheel, and what was said about it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    return path, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("dist"))[0]


def test_the_wheel_is_as_it_should_be(wheel: Path) -> None:
    assert problems_of(wheel, ROOT) == []


@needs_compiled
def test_it_is_compiled_where_that_can_be(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".so")} == COMPILED


def test_without_a_compiler_it_is_python_alone_and_says_so(tmp_path: Path) -> None:
    wheel, said = built(tmp_path, CC="false", MINK_PURE_PYTHON="0")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "could not be compiled" in said
    assert problems_of(wheel, ROOT) == []


def test_a_setting_makes_it_python_alone(tmp_path: Path) -> None:
    wheel, said = built(tmp_path, MINK_PURE_PYTHON="1")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "could not" not in said
    assert problems_of(wheel, ROOT) == []


@pytest.mark.parametrize(
    ("left_out", "put_in", "told"),
    [
        ("mink_pytest/py.typed", None, "lacks mink_pytest/py.typed"),
        ("mink_postgres/sql/append.sql", None, "lacks mink_postgres/sql/append.sql"),
        ("licenses/LICENSE", None, "holds no license"),
        (None, "tests/__init__.py", "installs tests, which is not meant"),
        (None, "benchmarks/__init__.py", "installs benchmarks, which is not meant"),
        (None, "mink_core/errors.pyc", "holds mink_core/errors.pyc"),
        (None, "mink_core/_compiled.c", "holds mink_core/_compiled.c"),
    ],
)
def test_a_wrong_wheel_is_seen(
    wheel: Path, tmp_path: Path, left_out: str | None, put_in: str | None, told: str
) -> None:
    other = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            if left_out is None or not name.endswith(left_out):
                target.writestr(name, source.read(name))
        if put_in is not None:
            target.writestr(put_in, "")
    assert problems_of(other, ROOT) == [told]


def test_every_package_says_that_it_is_typed() -> None:
    for name in PACKAGES:
        folder = ROOT / ("benchmarks" if name == "mink_benchmarks" else "") / name
        assert (folder / "py.typed").is_file()
