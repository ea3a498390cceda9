"""Compiles the parts in C into the wheel, or beside their sources where the project is installed editable.

Where they cannot be compiled the wheel is one of Python alone, which means the same: see `mink_core/compiled.py`. So is
that of a build with `MINK_PURE_PYTHON=1`, for every platform.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOURCES = (Path("mink_core", "_compiled.c"), Path("mink_postgres", "_rows.c"))


class CompilingHook(BuildHookInterface[Any]):
    """Of wheels only: an sdist has the source."""

    PLUGIN_NAME = "custom"
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel then is."""
        try:
            failed = self._compile(build_data, editable=version == "editable")
        except OSError as error:  # the source may be another user's, or the disk full
            self.app.display_warning(str(error))
            failed = _SOURCES
        for source in failed:
            self.app.display_warning(
                f"{source} could not be compiled: what it does is done in Python, which takes longer"
            )

    def _compile(self, build_data: dict[str, Any], *, editable: bool) -> Sequence[Path]:
        """Compile into the wheel or beside the source, and tell what could not be compiled."""
        if editable:
            for source in _SOURCES:
                Path(self.root, _built(source)).unlink(
                    missing_ok=True
                )  # that of an earlier one may be of another source
        if os.environ.get("MINK_PURE_PYTHON") == "1" or not _has_stable_abi():
            return ()
        # Goes with its object, also where a build fails and nothing is finalized.
        self._folder = tempfile.TemporaryDirectory(prefix="mink-compiled-")
        folder = Path(self._folder.name)
        _run(Path(self.root), folder)
        made = [source for source in _SOURCES if (folder / _built(source)).is_file()]
        if editable:
            for source in made:
                shutil.copy(folder / _built(source), Path(self.root, _built(source)))
        elif made:
            # An index takes no linux_x86_64; that a wheel is more than that, a release has to prove: `tests/release/portable.py`.
            own = self.build_config.builder.get_best_matching_tag().rpartition("-")[2]
            platform = os.environ.get("MINK_WHEEL_PLATFORM") or own
            build_data |= {"pure_python": False, "tag": f"cp311-abi3-{platform}"}
            build_data["force_include"] |= {str(folder / _built(source)): _built(source).as_posix() for source in made}
        return [source for source in _SOURCES if source not in made]

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


def _built(source: Path) -> Path:
    return source.with_suffix(".abi3.so")


def _run(root: Path, folder: Path) -> None:
    extensions = [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(root / source)],
            py_limited_api=True,
            optional=True,
            # Debug information would name the folders of this machine. What a distribution's compiler guards a stack with is in
            # libc, which a wheel for every Linux must not need.
            extra_compile_args=["-O2", "-g0", "-fno-stack-protector", "-U_FORTIFY_SOURCE"],
            extra_link_args=["-Wl,--as-needed"] if sys.platform == "linux" else [],
        )
        for source in _SOURCES
    ]
    command = _Compiling(Distribution({"name": "mink", "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(folder), str(folder / "temp")
    command.ensure_finalized()
    command.run()
