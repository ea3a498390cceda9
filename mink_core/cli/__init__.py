"""The `mink` command: a thin skin over the public API. It reaches adapters only through `open_store`."""

from __future__ import annotations

import sys

# What the extra `cli` brings; click is typer's own in some versions.
_BROUGHT_BY_EXTRA = frozenset({"typer", "rich", "click"})


def main() -> int:
    """Run the command line.

    Returns:
        2 where the extra `cli` is not installed. Otherwise the process ends in `SystemExit` with
        the exit code.
    """
    try:
        from mink_core.cli.app import app  # noqa: PLC0415 -- without the extra, importing it fails
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _BROUGHT_BY_EXTRA:
            raise
        sys.stderr.write("mink: the command line is not installed: pip install 'mink-eventstore[cli]'\n")
        return 2
    app(prog_name="mink")
    return 0
