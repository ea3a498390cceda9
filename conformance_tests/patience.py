"""How long the kit waits for what should happen soon, before it says that it does not."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conformance_tests.expect import fail
from conformance_tests.failure import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mink_core import StoredEvent, Subscription

_USUAL = 20.0
_PROMPT = 5.0
_now = [_USUAL]


def soon() -> float:
    """Seconds after which something that should happen soon is told not to."""
    return _now[-1]


def promptly() -> float:
    """Seconds that count as promptly, on a machine under load."""
    return min(_PROMPT, soon())


@contextmanager
def patience(seconds: float) -> Generator[None]:
    """Wait for another time than usual, for the whole process: where failures are expected, as in the zoo."""
    _now.append(seconds)
    try:
        yield
    finally:
        _now.pop()


def take(subscription: Subscription) -> list[StoredEvent]:
    """The next batch of a subscription; a failure, and not a wait for ever, where none comes."""
    late = threading.Timer(soon(), subscription.close)
    late.daemon = True
    late.start()
    try:
        return list(next(iter(subscription)))
    except StopIteration:
        fail("the next batch of a subscription", expected=f"one within {soon():g} s", seen="none")
    finally:
        late.cancel()


def wait_until(condition: Callable[[], bool], what: str, seen: Callable[[], Any]) -> None:
    """Wait for a condition; tell when it does not come true, and what is seen no longer changes.

    A store that is slow goes on, and one that is broken does not: so the time begins again where there was
    progress, up to twice.
    """
    begun = time.monotonic()
    before, deadline = tell(seen()), begun + soon()
    while not condition():
        if time.monotonic() > deadline:
            now = tell(seen())
            if now == before or time.monotonic() > begun + 2 * soon():
                fail(f"after {time.monotonic() - begun:.0f} seconds", expected=what, seen=now)
            before, deadline = now, deadline + soon()
        time.sleep(0.002)
