"""Refusing coroutines where nobody awaits them: they would do nothing, and be taken for done."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Coroutine

from mink_core.errors import UsageError


def check_plain(function: object, what: str) -> None:
    """Refuse a coroutine function, also an object whose `__call__` is one.

    Raises:
        UsageError: It is one.
    """
    if inspect.iscoroutinefunction(function) or (
        callable(function) and inspect.iscoroutinefunction(type(function).__call__)
    ):
        msg = f"{what} must be a plain function, as nobody awaits what it returns, unlike {function!r:.60}"
        raise UsageError(msg)


def check_done(result: object, what: str) -> None:
    """Refuse what a call returned if it is still to be awaited.

    Raises:
        UsageError: It is.
    """
    if isinstance(result, Awaitable):
        if isinstance(result, Coroutine):
            result.close()  # else Python warns of it as well
        msg = f"{what} returned a {type(result).__name__}, which nobody awaits there: it must be a plain function"
        raise UsageError(msg)
