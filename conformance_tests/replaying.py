"""A failure in a file, and the one command that runs just it again."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Check, all_checks
from conformance_tests.failure import tell
from conformance_tests.level import Level
from conformance_tests.runner import look, run_check
from mink_core import UsageError, __version__

if TYPE_CHECKING:
    from pathlib import Path

    from conformance_tests.results import Result
    from conformance_tests.target import Target

PROGRAM = "python -m conformance_tests"
_FIELDS: dict[str, tuple[type, ...]] = {
    "target": (str, type(None)),
    "check": (str,),
    "level": (str,),
    "seed": (int,),
    "what": (str,),
    "expected": (str,),
    "seen": (str,),
    "replay": (object,),
}
"""What a file must have, and of which kinds."""


def keep(result: Result, target: Target, level: Level, folder: Path, *, door: str | None = None) -> Result:
    """Write a failure to a file of its own in a folder.

    Returns:
        The result with the command that replays it. A target whose URL holds a password is named `TARGET` there.
        Where the file cannot be written, the result with a note that says why.
    """
    path = folder / f"{result.check.name}.json"
    record = {
        "kit": __version__,
        "target": target.spec,
        "door": door,
        "check": result.check.name,
        "level": level.name,
        "seed": result.seed,
        "what": result.what,
        "expected": result.expected,
        "seen": result.seen,
        "replay": result.replay,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1, default=tell) + "\n", "utf-8")
    except OSError as error:
        return replace(result, notes=(*result.notes, f"it could not be kept for --replay: {error}"))
    named = shlex.quote(target.spec) if target.spec else "TARGET"
    through = f" --door {door}" if door else ""
    return replace(result, command=f"{PROGRAM} {named}{through} --replay {shlex.quote(str(path))}")


def load(path: Path) -> dict[str, Any]:
    """Read a failure's file.

    Raises:
        UsageError: There is none, or it is something else.
    """
    try:
        record: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} is no failure kept by this kit: {error}"
        raise UsageError(msg) from error
    for name, kinds in _FIELDS.items():
        if not isinstance(record, dict) or name not in record or not isinstance(record[name], kinds):
            msg = f"{path} is no failure kept by this kit: it has no fitting {name!r}"
            raise UsageError(msg)
    if record["level"] not in Level.__members__:
        msg = f"{path} is no failure kept by this kit: there is no level {record['level']!r}"
        raise UsageError(msg)
    return dict(record)


def replay(record: dict[str, Any], target: Target) -> Result:
    """Run a kept failure's check again, with its seed and its program.

    Raises:
        UsageError: There is no such check any more.
    """
    check: Check | None = next((it for it in all_checks() if it.name == record["check"]), None)
    if check is None:
        msg = f"there is no check named {record['check']}: the file was kept by version {record.get('kit')} of the kit"
        raise UsageError(msg)
    capabilities, _ = look(target)
    return run_check(
        check,
        target,
        level=Level[record["level"]],
        seed=record["seed"],
        capabilities=capabilities,
        exactly=True,
        replay=record["replay"],
    )
