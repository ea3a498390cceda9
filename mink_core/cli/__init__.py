"""The `mink` command: a thin skin over the public API. It reaches adapters only through `open_store`."""

from __future__ import annotations

import io
import os
import sys

# What the extra `cli` brings; click is typer's own in some versions.
_BROUGHT_BY_EXTRA = frozenset({"typer", "rich", "click"})


def main() -> int:
    """Run the command line.

    Returns:
        2 where the extra `cli` is not installed. Otherwise the process ends in `SystemExit` with
        the exit code.
    """
    _mend_streams()
    try:
        from mink_core.cli.app import app  # noqa: PLC0415 -- without the extra, importing it fails
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _BROUGHT_BY_EXTRA:
            raise
        sys.stderr.write("mink: the command line is not installed: pip install 'mink-eventstore[cli]'\n")
        return 2
    app(prog_name="mink")
    return 0


def _mend_streams() -> None:
    """See that there is something to read and to write, and that text which the terminal cannot show is no error."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by who started the process
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 -- for the whole process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
