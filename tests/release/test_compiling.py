"""What `hatch_build.py` does where a build does not go well, and what it leaves behind: in a project of nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.compiled import needs_compiled

ROOT = Path(__file__).parents[2]
SOURCES = (Path("mink_core", "_compiled.c"), Path("mink_postgres", "_rows.c"))

_PROJECT = """
[project]
name = "some"
version = "1"
[tool.hatch.build]
dev-mode-dirs = ["."]
[tool.hatch.build.targets.wheel]
packages = ["mink_core", "mink_postgres"]
[tool.hatch.build.targets.wheel.hooks.custom]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "some project"
    for source in SOURCES:
        (root / source).parent.mkdir(parents=True)
        (root / source).with_name("__init__.py").touch()
    (root / "pyproject.toml").write_text(_PROJECT)
    shutil.copy(ROOT / "hatch_build.py", root)
    for source in SOURCES:
        shutil.copy(ROOT / source, root / source)
    (tmp_path / "tmp").mkdir()
    return root


def _built(source: Path) -> Path:
    return source.with_suffix(".abi3.so")


def _build(root: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Build, and assert that nothing is left of it where temporary files go."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(root / "dist")]
    folder = root.parent / "tmp"
    environment = {**os.environ, "TMPDIR": str(folder)}
    environment.pop("MINK_PURE_PYTHON", None)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert not list(folder.glob("mink-compiled-*"))
    return done


@needs_compiled
def test_it_names_no_folder_of_the_machine(project: Path) -> None:
    assert _build(project, "wheel").returncode == 0
    [path] = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        built = [wheel.read(_built(source).as_posix()) for source in SOURCES]
    for folder in (str(project), tempfile.gettempdir(), sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/"):
        assert not [one for one in built if folder.encode() in one]


@needs_compiled
def test_editable_it_stands_beside_its_source(project: Path) -> None:
    for source in SOURCES:
        (project / _built(source)).write_text("of an earlier source")
    assert _build(project, "wheel:editable").returncode == 0
    for source, name in zip(SOURCES, (b"is_plain_json", b"events_of"), strict=True):
        assert name in (project / _built(source)).read_bytes()


@needs_compiled
def test_one_that_cannot_be_compiled_is_left_out(project: Path) -> None:
    (project / SOURCES[1]).write_text("#error it is not for this machine\n")
    done = _build(project, "wheel")
    assert f"{SOURCES[1]} could not be compiled" in done.stdout + done.stderr
    assert f"{SOURCES[0]} could not" not in done.stdout + done.stderr
    [path] = (project / "dist").glob("*-cp311-abi3-*.whl")
    with zipfile.ZipFile(path) as wheel:
        assert [name for name in wheel.namelist() if name.endswith(".so")] == [_built(SOURCES[0]).as_posix()]


def test_where_the_source_cannot_be_changed_that_is_said_and_no_error(project: Path) -> None:
    (project / _built(SOURCES[0])).mkdir()  # as a folder that may not be written to, also of root
    done = _build(project, "wheel:editable")
    assert done.returncode == 0, done.stderr
    assert "could not be compiled" in done.stdout + done.stderr


def test_a_build_that_fails_leaves_nothing(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as settings:
        settings.write('[tool.hatch.build.targets.wheel.force-include]\n"missing" = "missing"\n')
    assert _build(project, "wheel").returncode != 0
