"""Gives an async object the shape of its sync twin, so that a check is written once.

The twins have the same names (a contract of `mink_core`), so one proxy serves stores,
transactions, subscriptions and sub-stores: what is awaited is run on the portal's loop, what is an
async iterator or context manager becomes a plain one.
"""

from __future__ import annotations

import asyncio
import inspect
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

if TYPE_CHECKING:
    from types import TracebackType

    from conformance_tests.portal import Portal

_VALUES = (
    str, int, float, bytes, list, tuple, dict, set, frozenset, datetime, UUID, Enum, BaseException, type(None)
)  # fmt: skip


class Shaped:
    """An async object in sync shape."""

    def __init__(self, native: Any, portal: Portal) -> None:
        """Wrap an object whose coroutines run on the portal's loop."""
        self._native = native
        self._portal = portal
        self._context: _Held | None = None

    def __getattr__(self, name: str) -> Any:
        """The object's attribute; a method that runs on the loop."""
        found = getattr(self._native, name)
        if not callable(found) or isinstance(found, type):
            return shape(found, self._portal)

        def call(*args: Any, **keywords: Any) -> Any:
            self._portal.refuse_itself()
            result = found(*[_on_a_thread(arg, self._portal) for arg in args], **keywords)
            if inspect.isawaitable(result):
                result = self._portal.run(_awaited(result))
            return shape(result, self._portal)

        return call

    def __iter__(self) -> Self:
        """The object as an iterator."""
        self._native = aiter(self._native)
        return self

    def __next__(self) -> Any:
        """The async iterator's next item."""
        try:
            return shape(self._portal.run(_awaited(anext(self._native))), self._portal)
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Any:
        """Enter the async context, in a task that also leaves it."""
        held = _Held(self._native)
        value = self._portal.run(held.enter())
        self._context = held
        return self if value is self._native else shape(value, self._portal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave the async context."""
        held, self._context = self._context, None
        if held is None:
            return False
        return self._portal.run(held.leave(error))


def shape(value: Any, portal: Portal) -> Any:
    """A value as it is; anything else in sync shape."""
    if isinstance(value, _VALUES) or hasattr(type(value), "__struct_fields__"):
        return value
    return Shaped(value, portal)


def _on_a_thread(value: Any, portal: Portal) -> Any:
    """A callback of the check (of `update`, `subscription`): it uses shaped stores, so it must not run on the loop."""
    if not inspect.isroutine(value) or inspect.iscoroutinefunction(value):
        return value

    async def call(*args: Any) -> Any:
        return await asyncio.to_thread(value, *[shape(arg, portal) for arg in args])

    return call


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


class _Held:
    """An async context manager that one task enters and leaves, as some of them require."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._leaving: asyncio.Future[BaseException | None] | None = None
        self._task: asyncio.Task[bool] | None = None

    async def enter(self) -> Any:
        loop = asyncio.get_running_loop()
        entered: asyncio.Future[Any] = loop.create_future()
        self._leaving = loop.create_future()
        self._task = loop.create_task(self._live(entered, self._leaving))
        return await entered

    async def leave(self, error: BaseException | None) -> bool:
        assert self._leaving is not None  # noqa: S101 -- told to the type checker
        assert self._task is not None  # noqa: S101 -- as above
        self._leaving.set_result(error)
        return await self._task

    async def _live(self, entered: asyncio.Future[Any], leaving: asyncio.Future[BaseException | None]) -> bool:
        try:
            value = await self._manager.__aenter__()
        except BaseException as error:  # noqa: BLE001 -- handed to whoever enters
            entered.set_exception(error)
            return False
        entered.set_result(value)
        cause = await leaving
        if cause is None:
            await self._manager.__aexit__(None, None, None)
            return False
        try:
            return bool(await self._manager.__aexit__(type(cause), cause, cause.__traceback__))
        except BaseException as error:
            if error is cause:  # re-raised through, as by a generator's context manager
                return False
            raise
