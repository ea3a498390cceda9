"""Projections in the append's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mink_core.runtime.doors import within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core.events import AppendResult, NewEvent
    from mink_core.expected import Expected
    from mink_core.runtime.doors import Door
    from mink_core.runtime.steps import Steps


def append_steps(  # noqa: PLR0913, PLR0917 -- an append, on a store of a door
    store: Any,
    door: Door,
    handlers: Sequence[Callable[..., Any]],
    stream_id: str,
    events: list[NewEvent],
    expected: Expected,
) -> Steps[AppendResult]:
    """See `append_inline`."""

    def work(tx: Any) -> Steps[AppendResult]:
        result: AppendResult = yield tx.append(stream_id, events, expected_version=expected)
        first, count = result.first_version, len(result.event_ids)
        if hasattr(tx, "wrote"):
            repeated = not tx.wrote(result)
        else:
            # Outside of the transaction only what was committed before is seen: a repeated call's events. It takes a
            # second connection, and so one of callers who wait for each other's: an adapter does better to tell.
            repeated = bool((yield door.collect(store.read_stream(stream_id, after_version=first - 1, limit=1))))
        if repeated:
            return result
        for event in (yield door.collect(tx.read_stream(stream_id, after_version=first - 1, limit=count))):
            for handler in handlers:
                outcome = handler(event, tx)
                if outcome is not None:
                    yield outcome
        return result

    return (yield from within(door, store.transaction(), work))
