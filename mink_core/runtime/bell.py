"""An event that Ctrl-C cannot leave locked.

`threading.Event` is written in Python: where Ctrl-C comes in the middle of its `set` or `wait`, its lock stays taken, and
whoever calls it next hangs. Python looks for signals where a function begins, and after a call that is written in C. So each
method here rests on one such call, on a bare lock, and what has to follow it stands in a `finally` that calls nothing else.
"""

from __future__ import annotations

import threading


class Bell:
    """A `threading.Event`, for any threads and for handlers of signals.

    While it is rung, and nobody is in `set`, its lock is free: each of those who wait takes it, and lets go of it again for
    the next. Where `set` meets `clear` it may be free although the bell is not rung, so that the next wait ends early, once.
    That is for the caller to bear, who clears first, then looks for what there is to do, and then waits: so nothing is missed.
    Where it is cleared, one thread clears and waits; one that is never cleared wakes all who wait.
    """

    __slots__ = ("_lock", "_rung")

    def __init__(self) -> None:
        """Not rung."""
        self._rung = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def is_set(self) -> bool:
        """Whether it was rung."""
        return self._rung

    def set(self) -> None:
        """Ring: wake who waits, and who will."""
        self._rung = True  # first, for `wait` looks at it after the lock
        try:  # noqa: SIM105 -- `suppress` is a function, at whose begin Ctrl-C may come
            self._lock.release()
        except RuntimeError:  # it was rung already
            pass

    def clear(self) -> None:
        """Forget that it was rung. A ring that comes meanwhile may be forgotten as well."""
        try:
            self._lock.acquire(blocking=False)
        finally:
            self._rung = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is rung, so long at most; longer than a thread can wait is as long as it can.

        Returns:
            Whether it is rung.
        """
        if not self._rung:
            longest = -1 if seconds is None else min(max(seconds, 0), threading.TIMEOUT_MAX)
            try:
                self._lock.acquire(timeout=longest)
            finally:
                if self._rung:
                    try:  # noqa: SIM105 -- as in `set`
                        self._lock.release()
                    except RuntimeError:  # the time was over, or another let go of it
                        pass
        return self._rung
