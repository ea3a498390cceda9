"""The wheel holds what it should, and a wheel that does not is seen. `python -m tests.release` does the rest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.compiled import needs_compiled
from tests.release.portable import index_platform, not_portable
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


needs_linux = pytest.mark.skipif(index_platform() is None, reason="other systems have tags of their own")


@needs_compiled
@needs_linux
def test_a_wheel_for_an_index_runs_on_every_linux(tmp_path: Path) -> None:
    platform = index_platform()
    assert platform is not None
    path, _ = built(tmp_path, MINK_WHEEL_PLATFORM=platform)
    assert path.name.endswith(f"-cp311-abi3-{platform}.whl")
    assert problems_of(path, ROOT) == []
    with zipfile.ZipFile(path) as archive:
        [told] = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/WHEEL")]
    assert sorted(re.findall("^Tag: (.*)$", told, re.MULTILINE)) == sorted(
        f"cp311-abi3-{one}" for one in platform.split(".")
    )


@needs_compiled
@needs_linux
@pytest.mark.parametrize(
    ("options", "source", "told"),
    [
        (["-lm"], "double sin(double); double f(double x) { return sin(x); }", "needs libm.so.6"),
        ([], "void *malloc(unsigned long); void *f(void) { return malloc(1); }", "needs libc.so.6"),
    ],
)
def test_what_needs_a_library_is_not_for_every_linux(
    wheel: Path, tmp_path: Path, options: list[str], source: str, told: str
) -> None:
    (tmp_path / "some.c").write_text(source)
    command = [
        "cc",
        "-shared",
        "-fPIC",
        "-o",
        str(tmp_path / "some.so"),
        str(tmp_path / "some.c"),
        "-Wl,--no-as-needed",
    ]
    subprocess.run([*command, *options], check=True)
    with zipfile.ZipFile(tmp_path / "some.whl", "w") as archive:
        archive.write(tmp_path / "some.so", "mink_core/some.so")
    assert f"holds mink_core/some.so, which {told}" in not_portable(tmp_path / "some.whl")
    assert not_portable(wheel) == []


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
