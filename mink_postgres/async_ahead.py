"""Async readers: the next page is asked for, by a task, while the caller works on the one before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from mink_core.errors import MinkError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any

    from mink_postgres.programs.reading import Reader
    from mink_postgres.query import Program, Rows

T = TypeVar("T")


async def pages_ahead(
    reader: Reader[T],
    run: Callable[[Program[Rows]], Coroutine[Any, Any, Rows]],
    run_whole: Callable[[Program[Rows]], Awaitable[Rows]],
) -> AsyncIterator[T]:
    """Everything a reader reads, with the next page asked for while one is taken.

    Args:
        reader: What to read.
        run: Runs a program.
        run_whole: Runs one whose statements rest on each other.
    """
    readable = reader.readable
    program = reader.next_page()
    rows = None if program is None else await (run_whole if reader.looks else run)(program)
    while rows is not None:
        coming: asyncio.Task[Rows] | None = None
        try:
            if (program := reader.next_page()) is not None:
                coming = asyncio.create_task(run(program))
                await asyncio.sleep(0)  # lets it send its query
            page = reader.items(rows)
            rows = None
            page.reverse()
            while page:  # as `consumed`, without a second iterator
                yield page.pop() if readable is None else readable(page.pop())
            if coming is not None:
                try:
                    rows = await coming
                except MinkError:  # what cannot be had ahead of its time is read in its time
                    if (program := reader.next_page()) is not None:
                        rows = await run(program)
        finally:
            if coming is not None:
                if not coming.done():
                    coming.cancel()  # the caller reads no further
                    await asyncio.wait([coming])  # not `await coming`: its cancellation could hide one of ours
                if not coming.cancelled():
                    coming.exception()  # asked for, as nobody else will
