"""How far a measurement is, on stderr."""

from __future__ import annotations

import sys
import time

_A_LINE_EVERY = 60.0


class Progress:
    """One line that changes, on a terminal; elsewhere, in a log say, a line a minute."""

    def __init__(self) -> None:
        """Say nothing yet."""
        self._is_terminal = sys.stderr.isatty()
        self._due = time.monotonic() + _A_LINE_EVERY

    def __call__(self, what: str) -> None:
        """Tell what is being done."""
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[2K{what}")
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + _A_LINE_EVERY
            sys.stderr.write(f"{what}\n")
        sys.stderr.flush()
