"""Ctrl-C at every moment of a call at which Python can deliver it, one after the other.

A signal's handler is called where the interpreter looks for signals: where a function begins, after a call that is written in
C, and at the end of a loop's round. One that arrives again whenever it was handled is handled at each of these moments, in
whatever code, so that the n-th can be counted to.
"""

from __future__ import annotations

import _thread
import gc
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SIGNAL = signal.SIGUSR1


class _Again(int):
    """Sends the signal as an attribute is looked up: after a call, Python would look for signals in the handler itself."""

    sent = property(_thread.interrupt_main)


def interrupted(act: Callable[[], object], moment: int, *, beginning: Callable[[str], bool] | None = None) -> bool:
    """Whether the act had so many moments; it was interrupted at the last of them then. Main thread only.

    Args:
        act: What to interrupt. Any other error that it ends with passes through.
        moment: Which, from 1.
        beginning: Counts only those moments in files of which this is true.
    """
    again, left, is_over = _Again(_SIGNAL), moment, False

    def handle(number: int, frame: FrameType | None) -> Any:
        nonlocal left
        del number
        if is_over or left <= 0:
            return None
        if frame is not None and (beginning is None or beginning(frame.f_code.co_filename)):
            left -= 1
            if not left:
                raise KeyboardInterrupt
        return again.sent

    gc.disable()  # it calls back whoever asked for that, as Hypothesis does, and nobody hears what is raised there
    before = signal.signal(_SIGNAL, handle)
    try:
        _thread.interrupt_main(_SIGNAL)
        act()
    except KeyboardInterrupt:
        pass
    finally:
        is_over = True
        signal.signal(_SIGNAL, before)
        gc.enable()
    return left <= 0
