"""Every error's way out: one clear line on stderr and an exit code. The only place that decides either."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from io import UnsupportedOperation

from mink_core.cli.redaction import redact
from mink_core.errors import (
    AdapterError,
    CapabilityNotSupportedError,
    CheckpointConflictError,
    ConcurrencyError,
    DuplicateEventError,
    DuplicateMessageError,
    KeyBusyError,
    LeaseLostError,
    MinkError,
    PositionAheadError,
    SagaConflictError,
    StreamNotFoundError,
    StreamTombstonedError,
    SubscriptionNotFoundError,
    UsageError,
)

DONE = 0
REFUSED = 1
WRONG_USAGE = 2
STORAGE_TROUBLE = 3
INTERRUPTED = 130

EXIT_CODES = """\
Exit codes:
  0  done
  1  the store refused: conflict, duplicate, not found, tombstoned, position ahead;
     check found damage, doctor trouble, migrate status something pending
  2  wrong usage: an argument, the input, the store's URL, what its adapter has not
  3  storage or schema trouble: not reached, not initialized, outcome unknown
  130  ended by Ctrl-C\
"""


def epilog(text: str) -> str:
    """What stands below a command's help: its examples, and the exit codes."""
    # A paragraph that begins with \b keeps its lines.
    return f"{text}\n\b\n{EXIT_CODES}\n"


_REFUSALS = (
    ConcurrencyError,
    DuplicateEventError,
    StreamTombstonedError,
    PositionAheadError,
    CheckpointConflictError,
    StreamNotFoundError,
    LeaseLostError,
    DuplicateMessageError,
    SagaConflictError,
    KeyBusyError,
    SubscriptionNotFoundError,
)
_WRONG_USE = (UsageError, AdapterError, CapabilityNotSupportedError)


def exit_code_of(error: Exception) -> int:
    """The exit code that an error ends the command with."""
    if isinstance(error, _REFUSALS):
        return REFUSED
    if isinstance(error, _WRONG_USE):
        return WRONG_USAGE
    return STORAGE_TROUBLE


def tell(error: Exception, *, url: str | None, debug: bool) -> None:
    """Say on stderr what went wrong, without a secret of the URL; with `debug`, where as well."""
    if debug:
        sys.stderr.write(redact("".join(traceback.format_exception(error)), url))
    sys.stderr.write(f"mink: {redact(_sentence(error), url)}\n")


def _sentence(error: Exception) -> str:
    said = str(error).strip()
    # A list of what was tried is easier to read as one; anything else goes on one line.
    if "\n  - " not in said:
        said = " ".join(said.split())
    if isinstance(error, MinkError):
        return said
    if isinstance(error, OSError):
        return said or type(error).__name__
    return f"unexpected {type(error).__name__}: {said} (--debug shows where it came from)"


def leave_closed_pipe() -> None:
    """Let stdout go nowhere: whoever read it has gone, and what is left to flush must not fail."""
    with suppress(UnsupportedOperation, OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
