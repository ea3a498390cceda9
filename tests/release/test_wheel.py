"""The wheel holds what it should, and a wheel that does not is seen. `python -m tests.release` does the rest."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.release.wheel import PACKAGES, problems_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_is_as_it_should_be(wheel: Path) -> None:
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
