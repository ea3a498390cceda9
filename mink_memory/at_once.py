"""Changes of which either all are made or none, also where Ctrl-C comes in between.

Python looks for signals between the calls that a function makes, so a KeyboardInterrupt may end a transition in any line.
It does not look while a call is being made that is written in C, as all of these are.
"""

from __future__ import annotations

from collections import deque
from itertools import starmap
from operator import call
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Step: TypeAlias = "tuple[Callable[..., Any], *tuple[Any, ...]]"
"""A function that is written in C, such as a list's `extend`, and its arguments."""


def at_once(steps: Sequence[Step]) -> None:
    """Make the calls, in order. None of them may fail."""
    deque(starmap(call, steps), maxlen=0)
