"""Where the stores of a test run are: the one module of the plugin that imports Mink."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import pytest

from mink_core import AsyncStore, MinkError, Namespaces, Store, open_async_store, open_namespaces, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from types import TracebackType


class Places(AbstractContextManager["Places"]):
    """A place for each URL: what the URL starts, a server say, is started once and ends with the run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._stack = ExitStack()
        self._places: dict[str, Namespaces] = {}
        # Runs beside one another on one server, of xdist's workers say, must not meet.
        self._run = secrets.token_hex(4)
        self._numbers = count(1)

    def __enter__(self) -> Self:
        """The places themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was started."""
        self._stack.close()

    @contextmanager
    def empty(self, url: str) -> Generator[str]:
        """The URL of an empty store at the place of `url`; what is in it is dropped on leaving."""
        with _told():
            if url not in self._places:
                self._places[url] = self._stack.enter_context(open_namespaces(url))
        place, name = self._places[url], f"mink_test_{self._run}_{next(self._numbers)}"
        try:
            yield place.url(name)
        finally:
            with _told():
                place.drop(name)


@contextmanager
def opened(url: str, options: Mapping[str, Any]) -> Generator[Store]:
    """An open store, initialized."""
    with ExitStack() as stack:
        with _told():
            store = stack.enter_context(open_store(url, **options))
            store.initialize()
        yield store


@asynccontextmanager
async def opened_async(url: str, options: Mapping[str, Any]) -> AsyncGenerator[AsyncStore]:
    """An open async store, initialized."""
    with _told():
        made = open_async_store(url, **options)
    async with made as store:
        with _told():
            await store.initialize()
        yield store


def initialized(url: str, options: Mapping[str, Any]) -> AsyncStore:
    """An async store that is not open, and whose data are initialized."""

    async def initialize() -> None:
        async with opened_async(url, options):
            pass

    # In a thread: the caller's may have a loop that runs, or one that must stay its current one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, initialize()).result()
    return open_async_store(url, **options)


@contextmanager
def _told() -> Generator[None]:
    """Mink's errors say all that there is to know; a traceback through the plugin adds nothing."""
    try:
        yield
    except MinkError as error:
        # From None: else pytest tells each error that led to it once more.
        msg = f"{type(error).__name__}: {error}"
        raise pytest.fail.Exception(msg, pytrace=False) from None
