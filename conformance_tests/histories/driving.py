"""Drives an actor's steps with a thread on a sync store, or with a task on an async one.

The steps are a generator that does nothing itself: it yields requests and is sent what they gave.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

LONGEST = 20.0
"""Seconds after which actors stop waiting for one another."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Make a call; with `many`, take all that its iterator gives."""

    call: Callable[[], Any]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter a context manager."""

    manager: Any


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it, with an error or without."""

    manager: Any
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Take a subscription's next batch; None at its end."""

    subscription: Any


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass, or only the others run where it is 0."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Meet:
    """Wait until all actors are here."""


Request: TypeAlias = Ask | Enter | Leave | Next | Sleep | Meet
Steps: TypeAlias = Generator[Request, Any, None]


def drive(steps: Steps, meeting: threading.Barrier) -> None:
    """Do the steps on a sync store, in this thread."""
    with suppress(StopIteration):
        request = next(steps)
        while True:
            try:
                given = _perform(request, meeting)
            except BaseException as error:  # noqa: BLE001 -- the steps decide what an error means
                request = steps.throw(error)
            else:
                request = steps.send(given)


def _perform(request: Request, meeting: threading.Barrier) -> Any:
    match request:
        case Ask(call, many):
            return list(call()) if many else call()
        case Enter(manager):
            return manager.__enter__()
        case Leave(manager, error):
            with suppress(*_same(error)):
                manager.__exit__(type(error) if error else None, error, None)
        case Next(subscription):
            return next(subscription, None)
        case Sleep(seconds):
            time.sleep(seconds)
        case Meet():
            with suppress(threading.BrokenBarrierError):
                meeting.wait(LONGEST)
    return None


async def drive_async(steps: Steps, meeting: asyncio.Barrier) -> None:
    """Do the steps on an async store, in this task."""
    with suppress(StopIteration):
        request = next(steps)
        while True:
            try:
                given = await _perform_async(request, meeting)
            except BaseException as error:  # noqa: BLE001 -- as in `drive`
                request = steps.throw(error)
            else:
                request = steps.send(given)


async def _perform_async(request: Request, meeting: asyncio.Barrier) -> Any:
    match request:
        case Ask(call, many):
            return [item async for item in call()] if many else await call()
        case Enter(manager):
            return await manager.__aenter__()
        case Leave(manager, error):
            with suppress(*_same(error)):
                await manager.__aexit__(type(error) if error else None, error, None)
        case Next(subscription):
            return await anext(subscription, None)
        case Sleep(seconds):
            await asyncio.sleep(seconds)
        case Meet():
            with suppress(asyncio.BrokenBarrierError):
                await meeting.wait()
    return None


def _same(error: BaseException | None) -> tuple[type[BaseException], ...]:
    """A manager may raise again what it was left with."""
    return () if error is None else (type(error),)
