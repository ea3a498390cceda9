"""A history as a picture: an actor a column, time going down, a bar for every call."""

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


def draw(shown: Sequence[Step], width: int = 34) -> str:
    """The picture as text. `┌` begins a call, `└` ends it and says how; `!` marks the ones at fault.

    Args:
        shown: What `steps` gave.
        width: Of a column, in characters.
    """
    actors = list(dict.fromkeys(step.actor for step in shown))
    moments = sorted(
        [(step.begun, 1, step) for step in shown] + [(step.ended, 0, step) for step in shown if step.ended is not None],
        key=lambda moment: moment[:2],
    )
    lines = ["      ms  " + "".join(actor.ljust(width) for actor in actors).rstrip()]
    running: dict[str, Step] = {}
    for moment, begins, step in moments:
        cells = [(" │" if actor in running else "").ljust(width) for actor in actors]
        mark = "!" if step.at_fault else " "
        text = f"{mark}┌ {step.call}" if begins else f"{mark}└ {step.outcome}"
        cells[actors.index(step.actor)] = _fit(text, width)
        lines.append(f"{moment * 1000:8.3f}  " + "".join(cells).rstrip())
        if begins:
            running[step.actor] = step
        else:
            running.pop(step.actor, None)
    return "\n".join(lines)


def _fit(text: str, width: int) -> str:
    return (text if len(text) < width else text[: width - 2] + "…").ljust(width)
