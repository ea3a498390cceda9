"""Calls that Ctrl-C does not cut in two: Python delivers it to the main thread alone, so another one makes them."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def apart(call: Callable[[], None]) -> None:
    """Make a call, in another thread where this is the main one. It goes on there when this one is interrupted."""
    if threading.get_ident() != threading.main_thread().ident:  # `current_thread` would note one that it does not know
        call()
        return
    bell = threading.Lock()
    bell.acquire()
    failures: list[BaseException] = []

    def make() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 -- raised by who asked for it
            failures.append(error)
        finally:
            bell.release()

    try:
        _thread.start_new_thread(make, ())  # one call of C, unlike `Thread.start`
    except RuntimeError:  # there can be none, as at the end of the process
        call()
        return
    bell.acquire()
    if failures:
        raise failures.pop()
