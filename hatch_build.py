"""Compiles `mink_core/_compiled.c` into the wheel, or beside it where the project is installed editable.

Where it cannot be compiled the wheel is one of Python alone, which means the same: see `mink_core/compiled.py`. So is
that of a build with `MINK_PURE_PYTHON=1`, for every platform.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

_SOURCE = Path("mink_core", "_compiled.c")
_BUILT = _SOURCE.with_suffix(".abi3.so")


class CompilingHook(BuildHookInterface[Any]):
    """Of wheels only: an sdist has the source."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel then is."""
        editable = version == "editable"
        beside = Path(self.root, _BUILT)
        if editable:
            beside.unlink(missing_ok=True)  # what an earlier one left may be of another source
        if os.environ.get("MINK_PURE_PYTHON") == "1" or not _has_stable_abi():
            return
        self._folder = tempfile.mkdtemp(prefix="mink-compiled-")
        built = _compile(Path(self.root), Path(self._folder))
        if built is None:
            self.app.display_warning(f"{_SOURCE} could not be compiled: all is done in Python, which takes longer")
        elif editable:
            shutil.copy(built, beside)
        else:
            platform = self.build_config.builder.get_best_matching_tag().rpartition("-")[2]
            build_data |= {"pure_python": False, "tag": f"cp311-abi3-{platform}"}
            build_data["force_include"][str(built)] = _BUILT.as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: the wheel has it now."""
        del version, build_data, artifact_path
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)


def _has_stable_abi() -> bool:
    return sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _compile(root: Path, folder: Path) -> Path | None:
    # Without debug information: it would name the folders of this machine.
    extension = Extension(
        "mink_core._compiled",
        [str(root / _SOURCE)],
        py_limited_api=True,
        optional=True,
        extra_compile_args=["-O2", "-g0"],
    )
    command = build_ext(Distribution({"name": "mink", "ext_modules": [extension]}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return next((folder / "lib").rglob("*.so"), None)
