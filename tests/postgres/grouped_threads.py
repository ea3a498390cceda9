"""A grouping of threads without a database, and threads that must come to an end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from mink_core import ExpectedVersion, NewEvent
from mink_core.prepare import prepare_append
from mink_postgres.grouping import planner as planning
from mink_postgres.grouping.sync_runner import Grouping
from mink_postgres.options import PostgresOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_postgres.grouping.pace import Pace


def grouping(send: Callable[[list[Any]], object]) -> Any:
    """One that sends nothing: an append's answer is its own stream's name."""
    made: Any = Grouping(PostgresOptions().context(), None, 25)  # type: ignore[arg-type]
    made._planner.direct = planning.DIRECT

    def answered(items: list[Any]) -> list[str]:
        send(items)
        return [item.stream_id for item in items]

    made._send = answered
    return made


def until(happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def always(*, slow: bool, in_line: Callable[[], bool] = lambda: True) -> Callable[[Pace, float], None]:
    def landed(pace: Pace, _: float) -> None:
        pace.slow, pace.in_line = slow, in_line()

    return landed


def item(stream: str) -> Any:
    return prepare_append(stream, [NewEvent("Made", 1)], ExpectedVersion.ANY)


def all_end(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was left waiting"
