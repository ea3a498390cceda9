"""The event loops of a run: asyncio's own, or uvloop's, for stores and for the floors beside them alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from mink_benchmarks.samples import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_factory: Callable[[], asyncio.AbstractEventLoop] | None = None


def choose(*, uvloop: bool) -> None:
    """Say whose event loops are made from now on in this process.

    Raises:
        BenchmarkError: uvloop is not installed.
    """
    global _factory  # noqa: PLW0603 -- one run a process; what measures need not hand it down
    _factory = _uvloop() if uvloop else None


def name() -> str:
    """Whose event loops are made."""
    return "asyncio" if _factory is None else "uvloop"


def runner() -> asyncio.Runner:
    """An event loop that stays, for a store."""
    return asyncio.Runner(loop_factory=_factory)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own."""
    with runner() as one:
        return one.run(coroutine)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415  # pyright: ignore[reportMissingImports] -- an extra
    except ModuleNotFoundError:
        msg = "uvloop is not installed: pip install 'mink-eventstore[peers]'"
        raise BenchmarkError(msg) from None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
