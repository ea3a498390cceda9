"""What each caller of a group is told when the group failed as a whole."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from mink_core.errors import OutcomeUnknownError, StorageError
from mink_postgres.programs.append_group import Alone
from mink_postgres.programs.appending import is_retry_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mink_core.errors import MinkError
    from mink_core.prepare import PreparedAppend
    from mink_postgres.context import Context
    from mink_postgres.programs.append_group import Answer

CLOSED = "the store was closed before this append was sent; nothing was stored: open another one"
INTERRUPTED = "what sent this append together with others was interrupted: it may or may not be stored"
LOST = "the connection to PostgreSQL was lost before the reply came: the call may or may not be stored"


def unknown(context: Context, message: str, item: PreparedAppend, sqlstate: str | None = None) -> OutcomeUnknownError:
    """One caller's error where nobody knows; whether its retry is safe is its own matter."""
    return OutcomeUnknownError(message, retry_is_safe=is_retry_safe(context, item), sqlstate=sqlstate)


def outcomes_of(context: Context, error: MinkError, items: Sequence[PreparedAppend], *, sent: bool) -> list[Answer]:
    """Each caller's own answer.

    A group is one statement that commits by itself. So an error that the server answered with has
    rolled back all of it, and every append is tried by itself: only the one that is to blame fails. A
    lost reply leaves everybody's outcome unknown; whether a retry is safe depends on each one's own
    expectation. Where there was no connection to send it on, nobody is tried again.
    """
    if isinstance(error, OutcomeUnknownError):
        return [unknown(context, LOST, item, error.sqlstate) for item in items]
    if sent and isinstance(error, StorageError):
        return [Alone.FAILED] * len(items)
    return [copy.copy(error) for _ in items]
