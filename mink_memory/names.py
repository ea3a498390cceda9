"""The named logs of the process: `memory://name` is the same log wherever it is opened."""

from __future__ import annotations

import re

from mink_core.errors import UsageError
from mink_memory.log import MemoryLog

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_logs: dict[str, MemoryLog] = {}


def open_log(name: str | None, *, unique_event_ids: bool) -> MemoryLog:
    """The log of a name, made when it is first asked for; without a name a new, private one.

    A named log outlives the stores that are open on it: it is kept until `forget`, or the end of
    the process.

    Raises:
        UsageError: The name is none, or the log was opened with another `unique_event_ids`.
    """
    if name is None:
        return MemoryLog(unique_event_ids=unique_event_ids)
    if type(name) is not str or not _NAME.fullmatch(name):
        msg = f"a memory store's name has 1 to 100 of the characters A-Z a-z 0-9 _ . -, unlike {name!r:.60}"
        raise UsageError(msg)
    log = _logs.get(name)
    if log is None:  # by one call of C instead of a lock, which a forked process could inherit locked
        log = _logs.setdefault(name, MemoryLog(unique_event_ids=unique_event_ids))
    if log.unique is not unique_event_ids:
        msg = (
            f"memory://{name} was opened before with unique_event_ids={log.unique}: "
            "every store on one log must say the same"
        )
        raise UsageError(msg)
    return log


def forget(name: str) -> None:
    """Drop a named log: the next store that opens the name begins an empty one.

    Stores that are open on the dropped log keep it until they are closed. A name that is not in use
    is no error.
    """
    _logs.pop(name, None)
