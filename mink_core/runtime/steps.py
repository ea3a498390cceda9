"""Logic written once for threads and for asyncio: generators that yield what a call returned.

A step is `page = yield store.poll(…)`. On the sync door the call has been made, and its result is
sent straight back. On the async door the call returned an awaitable, which is awaited first; an
error is raised at the same `yield`. So one text is both, and the doors differ only by await.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from mink_core.errors import UsageError
from mink_core.unawaited import GENERATORS, check_done, check_ran

T = TypeVar("T")

Steps: TypeAlias = Generator[Any, Any, T]


def run_steps(steps: Steps[T]) -> T:
    """Drive steps whose calls are made already; one that returned a coroutine was made on the wrong door."""
    try:
        value = next(steps)
        while True:
            if value is not None:
                try:
                    check_done(value, "a function given to a sync store")
                except UsageError as error:
                    value = steps.throw(error)
                    continue
            value = steps.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


async def run_steps_async(steps: Steps[T]) -> T:
    """Drive steps, awaiting what can be awaited."""
    try:
        value = next(steps)
        while True:
            if hasattr(value, "__await__"):
                try:
                    value = await value
                except BaseException as error:  # noqa: BLE001 -- also a cancellation is the steps' own to clean up after
                    value = steps.throw(error)
                    continue
            elif type(value) in GENERATORS:
                try:
                    check_ran(value, "a function given to an async store")
                except UsageError as error:
                    value = steps.throw(error)
                    continue
            value = steps.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()
