"""What a window has to show, and the run as a whole."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conformance_tests.histories.acts import judge_checkpoint, judge_leases
from conformance_tests.histories.history import Call, History, to_builtins
from conformance_tests.histories.judge import judge
from tests.soak.history.durable import judge_deliveries
from tests.soak.history.messages import Report, Window

if TYPE_CHECKING:
    from conformance_tests.histories.acts import Act
    from conformance_tests.histories.history import Seen

_APPENDS = {"append", "batch"}
_DELIVERS = {"step", "poll"}


@dataclass(frozen=True)
class Plan:
    minutes: float = 30.0
    """Minutes of load: so many windows' time together."""
    window: float = 5.0
    """Seconds of load in a window."""
    pace: float = 0.12
    """Seconds between an actor's operations, on average."""
    seed: int = 0
    patience: float = 30.0
    """Seconds after a window within which followers have to come to the head."""
    twin: str = ""
    keep: Path | None = None
    """A folder for the histories of windows that broke a rule."""


@dataclass(frozen=True)
class Counted:
    """What happened in a window."""

    at: float
    seconds: float
    calls: int = 0
    appends: int = 0
    events: int = 0
    conflicts: int = 0
    reads: int = 0
    deliveries: int = 0
    repeats: int = 0
    """Events that `least` was given once more, as after a kill."""


@dataclass
class Played:
    """A window that is over, to be judged."""

    window: Window
    reports: list[Report]
    streams: dict[str, tuple[Seen, ...]]
    exact: list[int]
    least: list[int]
    seconds: float


@dataclass
class Outcome:
    windows: list[Counted] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    judged: int = 0
    """Calls that the judges looked at."""
    acts: int = 0
    """Calls about leases and checkpoints that were judged."""
    stored: int = 0
    """Events in the end."""
    kills: int = 0
    hand_overs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


def judge_window(played: Played, outcome: Outcome, plan: Plan, began: float) -> None:
    calls: tuple[Call, ...] = tuple(
        sorted((call for report in played.reports for call in report.calls), key=lambda it: it.begun)
    )
    acts: list[Act] = sorted((act for report in played.reports for act in report.acts), key=lambda it: it.begun)
    history = History(
        calls, played.streams, start=played.window.start,
        stuck=tuple(name for report in played.reports for name in report.stuck),
    )  # fmt: skip
    found = [f"{it.rule} {it.what}; expected {it.expected}; seen {it.seen}" for it in judge(history)]
    found += [f"{it.rule} {it.what}; expected {it.expected}; seen {it.seen}" for it in judge_leases(acts)]
    for partition in range(3):
        mine = [act for act in acts if act.kind in {"save", "load"} and act.partition == partition]
        found += [f"{it.rule} {it.what}; seen {it.seen}" for it in judge_checkpoint(mine)]
    feed = [event for events in played.streams.values() for event in events]
    # After a kill, what was handled and not saved comes again, perhaps in the next window.
    least = [position for position in played.least if position > played.window.start]
    found += list(judge_deliveries(feed, played.exact, least))
    found += [f"SUB-02 {name} did not come to the head within {plan.patience:g} s" for name in history.stuck]
    found += [f"a client broke: {told}" for report in played.reports for told in report.broken]
    if not feed:
        found.append("nothing was appended: this window proves nothing")
    outcome.wrong += [f"window {played.window.number}: {told[:600]}" for told in found]
    if found and plan.keep is not None:
        plan.keep.mkdir(parents=True, exist_ok=True)
        path = plan.keep / f"window-{played.window.number}.json"
        path.write_bytes(msgspec.json.encode(to_builtins(history)))
    outcome.judged += len(calls)
    outcome.acts += len(acts)
    for call in calls:
        outcome.outcomes[call.outcome] = outcome.outcomes.get(call.outcome, 0) + 1
    appends = [call for call in calls if call.kind in _APPENDS]
    delivered = [call for call in calls if call.kind in _DELIVERS and not call.actor.startswith("actor")]
    outcome.windows.append(
        Counted(
            time.monotonic() - began,
            played.seconds,
            calls=len(calls),
            appends=sum(call.outcome == "ok" for call in appends),
            events=len(feed),
            conflicts=sum(call.outcome == "conflict" for call in appends),
            reads=sum(call.kind in {"read", "info", "poll", "read_all", "head"} for call in calls),
            deliveries=sum(len(call.events) for call in delivered) + len(played.exact) + len(played.least),
            repeats=len(played.least) - len(set(played.least)),
        )
    )


def digest_of(played: Played) -> bytes:
    events = sorted((event.position, event.version, event.event) for them in played.streams.values() for event in them)
    return hashlib.blake2b(repr(events).encode(), digest_size=16).digest()


def judge_whole(store: Any, digests: list[tuple[int, int, bytes]], outcome: Outcome) -> None:
    """In the end all windows are read once more, by one pass over the feed: each is as it was."""
    feed = iter(store.read_all())
    event = next(feed, None)
    for number, (start, head, digest) in enumerate(digests, 1):
        seen = []
        while event is not None and event.global_position <= head:
            if event.global_position <= start:
                outcome.wrong.append(f"window {number}: position {event.global_position} belongs to no window")
            seen.append((event.global_position, event.version, event.data["n"]))
            event = next(feed, None)
        outcome.stored += len(seen)
        if hashlib.blake2b(repr(seen).encode(), digest_size=16).digest() != digest:
            outcome.wrong.append(f"window {number}: in the end its events are not what they were")
    outcome.wrong += [f"check: {finding}" for finding in store.check()]
