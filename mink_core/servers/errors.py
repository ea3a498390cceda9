"""What launchers raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mink_core.errors import MinkError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ServerUnavailableError(MinkError):
    """No server could be found or started. Says what was tried, and what to do.

    Attributes:
        tried: One line for each thing that was tried.
    """

    def __init__(self, problem: str, tried: Sequence[str] = (), *, advice: str = "") -> None:
        """Put the problem, what was tried and the advice into one message."""
        listed = "".join(f"\n  - {line}" for line in tried)
        between = "\n" if listed else ". "
        super().__init__(f"{problem}{listed}{advice and between + advice}")
        self.tried = tuple(tried)
