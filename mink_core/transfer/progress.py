"""How far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], object]
"""Told the position reached, and the last one."""


def unseen(_position: int, _last: int) -> None:
    """Tell nobody."""
