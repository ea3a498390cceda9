"""Histories made by hand, in few words. Times are plain numbers; an event's stamp is its position."""

from __future__ import annotations

from typing import Any

from conformance_tests.histories.history import Call, History, Item, Placed, Seen

Where = tuple[int, int]
"""A version and a position."""


def append(
    actor: str, begun: int, ended: int, events: list[int], expected: Any, at: Where, stream: str = "s0", **more: Any
) -> Call:
    """An append that was stored: its first event at a version and a position, the others behind it."""
    return Call(
        actor=actor,
        begun=begun,
        ended=ended,
        kind="append",
        outcome="ok",
        items=(Item(stream, tuple(events), expected),),
        placed=(placed(events, at, stream),),
        **more,
    )


def placed(events: list[int], at: Where, stream: str = "s0") -> Placed:
    version, position = at
    last = len(events) - 1
    return Placed(stream, version, version + last, position, position + last, tuple(events))


def refused(
    actor: str, begun: int, ended: int, events: list[int], expected: Any, actual: int, stream: str = "s0", **more: Any
) -> Call:
    """An append that ended in a conflict."""
    return Call(
        actor=actor,
        begun=begun,
        ended=ended,
        kind="append",
        outcome="conflict",
        items=(Item(stream, tuple(events), expected),),
        stream=stream,
        number=actual,
        message=f"actual {actual}",
        **more,
    )


def batch(actor: str, begun: int, ended: int, *items: tuple[str, list[int], Any, Where], **more: Any) -> Call:
    return Call(
        actor=actor,
        begun=begun,
        ended=ended,
        kind="batch",
        outcome="ok",
        items=tuple(Item(stream, tuple(events), expected) for stream, events, expected, _ in items),
        placed=tuple(placed(events, at, stream) for stream, events, _, at in items),
        **more,
    )


def ends(actor: str, begun: int, ended: int, kind: str, tx: int, outcome: str = "ok") -> Call:
    """The begin, commit or rollback of a transaction."""
    return Call(actor=actor, begun=begun, ended=ended, kind=kind, outcome=outcome, tx=tx)


def seen(event: int, version: int, position: int, stream: str = "s0", stamp: int | None = None) -> Seen:
    return Seen(stream, version, position, event, position if stamp is None else stamp)


def read(actor: str, begun: int, ended: int, *events: Seen, stream: str = "s0", **more: Any) -> Call:
    return Call(actor=actor, begun=begun, ended=ended, kind="read", outcome="ok", stream=stream, events=events, **more)


def poll(actor: str, begun: int, ended: int, after: int, go_on: int, *events: Seen, **more: Any) -> Call:
    facts = {"limit": 100} | more
    return Call(
        actor=actor,
        begun=begun,
        ended=ended,
        kind="poll",
        outcome="ok",
        after=after,
        number=go_on,
        events=events,
        **facts,
    )


def step(actor: str, begun: int, ended: int, after: int, *events: Seen, **more: Any) -> Call:
    """A subscription's batch."""
    return Call(
        actor=actor,
        begun=begun,
        ended=ended,
        kind="step",
        outcome="ok",
        after=after,
        events=events,
        limit=100,
        subscription=0,
        **more,
    )


def call(kind: str, actor: str, begun: int, ended: int, **more: Any) -> Call:
    return Call(actor=actor, begun=begun, ended=ended, kind=kind, **({"outcome": "ok"} | more))


def history(*calls: Call, **streams: Any) -> History:
    """A history with these calls, and streams as lists of events; other keywords are the history's own."""
    own = {name: streams.pop(name) for name in ("faults", "unique_ids", "stuck", "start") if name in streams}
    return History(
        tuple(sorted(calls, key=lambda it: it.begun)), {name: tuple(it) for name, it in streams.items()}, **own
    )


ONE, TWO, THREE = seen(1, 1, 1), seen(2, 2, 2), seen(3, 3, 3)
