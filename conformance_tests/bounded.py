"""A check that does not end is a failure of the store, not of the run."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING

from conformance_tests.failure import CheckFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOSING = 5.0


def bounded(work: Callable[[], None], seconds: float, clean_up: Callable[[], None]) -> None:
    """Run a piece of work, but wait for its end no longer than so many seconds.

    It runs in a thread, which is left behind where it does not end.

    Args:
        work: What to run; what it raises is raised.
        seconds: How long to wait.
        clean_up: Called, in a thread of its own, where it does not end: it may end with that.

    Raises:
        CheckFailedError: It has not ended; tells where it waits.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- raised again by who waits
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True, name="mink-conformance check")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        where = _where(thread)
        cleaning = threading.Thread(target=clean_up, daemon=True, name="mink-conformance clean-up")
        cleaning.start()
        cleaning.join(_CLOSING)
        what = "the check does not end: a call never returns"
        raise CheckFailedError(what, f"an end within {seconds:g} s", where)
    if raised:
        raise raised[0]


def _where(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 -- documented, for debuggers
    return "".join(traceback.format_stack(frame)[-6:]).rstrip() if frame is not None else "it has just ended"
