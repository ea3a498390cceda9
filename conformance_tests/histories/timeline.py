"""A history as the steps of a picture: which calls are shown, and in what words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.failure import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from conformance_tests.histories.history import Call, History, Item, Seen

_NANO = 1e-9
_MOST = 60
"""Calls in one picture; of a longer history, those around the ones at fault."""


def steps(history: History, at_fault: Collection[Call]) -> list[Step]:
    """The calls to show, in the order of their beginnings."""
    blamed = {(call.actor, call.begun) for call in at_fault}
    shown = list(history.calls)
    if len(shown) > _MOST and blamed:
        center = sum(begun for _, begun in blamed) / len(blamed)
        near = sorted(shown, key=lambda call: ((call.actor, call.begun) not in blamed, abs(call.begun - center)))
        shown = sorted(near[:_MOST], key=lambda call: call.begun)
    return [
        Step(
            call.actor,
            describe(call),
            outcome(call),
            call.begun * _NANO,
            None if call.ended is None else call.ended * _NANO,
            (call.actor, call.begun) in blamed,
        )
        for call in shown[:_MOST]
    ]


def describe(call: Call) -> str:
    """A call, shortened."""
    match call.kind:
        case "append":
            text = _item(call.items[0])
        case "batch":
            text = "batch " + "; ".join(map(_item, call.items))
        case "read" | "info":
            text = f"{call.kind} {call.stream}"
        case "poll" | "step":
            only = f" of {call.stream}" if call.stream else ""
            text = f"{'poll' if call.kind == 'poll' else 'next batch'} after {call.after}{only}"
        case "read_all":
            text = "read_all backwards" if call.backward else "read_all"
        case _:
            text = call.kind
    return text if call.tx is None else f"tx{call.tx} {text}"


def _item(item: Item) -> str:
    events = f"#{item.events[0]}" if len(item.events) == 1 else f"#{item.events[0]}-{item.events[-1]}"
    return f"{item.stream} += {events} if {item.expected}"


def outcome(call: Call) -> str:
    """How it ended, shortened."""
    if call.outcome == "ok":
        return _gave(call)
    if call.outcome == "conflict":
        return f"conflict, actual {call.number}"
    return "never ended" if call.outcome == "open" else f"{call.outcome} {call.message[:40]}".strip()


def _gave(call: Call) -> str:
    match call.kind:
        case "append" | "batch":
            return ", ".join(f"v{one.first_version}-{one.last_version}@{one.first_position}" for one in call.placed)
        case "read" | "read_all" | "step" | "poll":
            told = _events(call.events, by_version=call.kind == "read")
            return told if call.number is None else f"{told} next {call.number}"
        case "head" | "info":
            return str(call.number)
        case _:
            return "done"


def _events(events: Sequence[Seen], *, by_version: bool = False) -> str:
    told = [f"#{event.event}@{event.version if by_version else event.position}" for event in events]
    if len(told) > 6:  # noqa: PLR2004 -- as many as fit a column
        told = [*told[:3], "…", *told[-2:]]
    return f"[{' '.join(told)}]"
