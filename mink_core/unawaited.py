"""Refusing functions whose body nobody would run, coroutines and generators: they do nothing, and were taken for done."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator
from functools import partial
from types import AsyncGeneratorType, FunctionType, GeneratorType, MethodType

from mink_core.errors import UsageError

GENERATORS = frozenset({GeneratorType, AsyncGeneratorType})
"""Types of what a call of a generator function gives: nothing of its body has run."""


def check_plain(function: object, what: str) -> None:
    """Refuse a coroutine or generator function, also inside a `partial`, a method, or an object's `__call__`.

    Raises:
        UsageError: It is one.
    """
    if is_coroutine_function(function):
        msg = f"{what} must be a plain function, as nobody awaits what it returns, unlike {function!r:.60}"
        raise UsageError(msg)
    check_runs(function, what, "a plain function")


def check_runs(function: object, what: str, wanted: str = "a function or a coroutine function") -> None:
    """Refuse a generator function, for either door; found as by `check_plain`.

    Raises:
        UsageError: It is one.
    """
    inner = _wrapped(function)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        msg = f"{what} must be {wanted}: {function!r:.60} has a yield, so that a call of it runs nothing"
        raise UsageError(msg)


def is_coroutine_function(function: object) -> bool:
    """Whether what a call gives is to be awaited, as far as can be told before."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_wrapped(function))


def check_done(result: object, what: str) -> None:
    """Refuse what a call returned if it is still to be awaited, or a generator.

    Raises:
        UsageError: It is.
    """
    if isinstance(result, Awaitable):
        if isinstance(result, Coroutine):
            result.close()  # else Python warns of it as well
        msg = f"{what} returned a {type(result).__name__}, which nobody awaits there: it must be a plain function"
        raise UsageError(msg)
    check_ran(result, what)


def check_ran(result: object, what: str) -> None:
    """Refuse a generator that a call returned, on either door.

    Raises:
        UsageError: It is one.
    """
    if isinstance(result, Generator | AsyncGenerator):
        msg = f"{what} returned a {type(result).__name__}, of which nothing runs there: it must have no yield"
        raise UsageError(msg)


def _wrapped(function: object) -> object:
    """The function within partials, methods and callable objects.

    Not within `__wrapped__`: what a decorator made of a function may well run it.
    """
    for _ in range(100):  # nobody nests so deep; a `__call__` may be the object itself
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType):
            break
        else:
            inner = getattr(type(function), "__call__", None)  # noqa: B004 -- what is called, not whether it can be
            if not isinstance(inner, FunctionType | partial | MethodType):
                break
            function = inner
    return function
