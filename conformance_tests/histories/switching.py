"""Forces threads to take turns inside an adapter, where a short race window would hardly ever be met."""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator
    from random import Random
    from types import FrameType

_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
_SITE = ("site-packages", "dist-packages")
_OURS = str(Path(__file__).parents[1])
_INTERVAL = 1e-5
_longest = 120e-6


@contextmanager
def short_turns() -> Generator[None]:
    """Let the interpreter switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def pauses(random: Random, chance: float) -> Generator[None]:
    """Pause this thread now and then between two lines of the adapter's Python code.

    So every window between a check and a write is met, however short. A debugger or a coverage
    tool that traces this thread is left in place instead.

    Args:
        random: Where to pause.
        chance: How likely, a line.
    """
    if chance <= 0 or sys.gettrace() is not None:
        yield
        return

    def line(_frame: FrameType, event: str, _value: Any) -> Any:
        if event == "line" and random.random() < chance:
            # The lock of the interpreter is given up, so that another thread goes on from here.
            time.sleep(random.random() * _longest)
        return line

    def call(frame: FrameType, _event: str, _value: Any) -> Any:
        return line if _is_adapters(frame.f_code.co_filename) else None

    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(None)


@lru_cache(maxsize=2000)
def _is_adapters(filename: str) -> bool:
    """Whether code is neither the kit's nor the standard library's."""
    if filename.startswith((_OURS, "<")):
        return False
    return not filename.startswith(_STANDARD_LIBRARY) or any(part in filename for part in _SITE)


def named_thread(name: str, work: Any) -> threading.Thread:
    """A thread that does not keep the process alive if a store never returns."""
    return threading.Thread(target=work, name=f"mink-conformance {name}", daemon=True)
