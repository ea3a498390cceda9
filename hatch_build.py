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
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel then is."""
        try:
            is_done = self._compile(Path(self.root, _BUILT) if version == "editable" else None, build_data)
        except OSError as error:  # the source may be another user's, or the disk full
            self.app.display_warning(str(error))
            is_done = False
        if not is_done:
            self.app.display_warning(
                f"{_SOURCE} could not be compiled; without it all is done in Python, which takes longer"
            )

    def _compile(self, beside: Path | None, build_data: dict[str, Any]) -> bool:
        if beside is not None:
            beside.unlink(missing_ok=True)  # what an earlier one left may be of another source
        if os.environ.get("MINK_PURE_PYTHON") == "1" or not _has_stable_abi():
            return True
        # Goes with its object, also where a build fails and nothing is finalized.
        self._folder = tempfile.TemporaryDirectory(prefix="mink-compiled-")
        built = _compiled(Path(self.root), Path(self._folder.name))
        if built is None:
            return False
        if beside is not None:
            shutil.copy(built, beside)
        else:
            platform = self.build_config.builder.get_best_matching_tag().rpartition("-")[2]
            build_data |= {"pure_python": False, "tag": f"cp311-abi3-{platform}"}
            build_data["force_include"][str(built)] = _BUILT.as_posix()
        return True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: the wheel has it now."""
        del version, build_data, artifact_path
        if self._folder is not None:
            self._folder.cleanup()


class _Compiling(build_ext):
    def build_extensions(self) -> None:
        # A Python that was built into a folder of its own has the linker write that folder into what it links.
        self.compiler.linker_so = [part for part in self.compiler.linker_so if not part.startswith("-Wl,-rpath")]
        super().build_extensions()


def _has_stable_abi() -> bool:
    return sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _compiled(root: Path, folder: Path) -> Path | None:
    # Without debug information: it would name the folders of this machine.
    extension = Extension(
        "mink_core._compiled",
        [str(root / _SOURCE)],
        py_limited_api=True,
        optional=True,
        extra_compile_args=["-O2", "-g0"],
    )
    command = _Compiling(Distribution({"name": "mink", "ext_modules": [extension]}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return next((folder / "lib").rglob("*.so"), None)
