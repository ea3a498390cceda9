"""Plays window after window on all processes, and judges each while the next one runs."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from conformance_tests.histories.acts import judge_checkpoint, judge_leases
from conformance_tests.histories.history import Call, History, to_builtins
from conformance_tests.histories.judge import judge
from mink_core import SubscriptionNotFoundError, open_store
from tests.soak.history.client import Place, run_client, run_victim, scribe_of
from tests.soak.history.durable import EFFECTS, Notes, judge_deliveries
from tests.soak.history.messages import Drain, Report, Stop, Window
from tests.soak.history.sampling import Sampler

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from conformance_tests.histories.acts import Act
    from conformance_tests.histories.history import Seen

SCHEMES = ("postgresql", "postgresql", "postgresql+asyncpg")
"""psycopg by threads (a sync store), psycopg by tasks, asyncpg."""
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
    """Events that `least` was given once more."""


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


class Processes:
    """The clients, and the durable workers that are killed."""

    def __init__(self, base: Place, url: str) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._base, self._url = base, url
        self.pipes: list[Connection] = []
        self.clients: list[Any] = []
        for number, scheme in enumerate(SCHEMES):
            mine = url.replace("postgresql", scheme, 1) + "&min_size=8&max_size=8"
            place = Place(
                number, mine, base.effects, base.folder, base.pace, base.seed, base.twin if number == 0 else ""
            )
            process, pipe = self._start(run_client, place)
            self.clients.append(process)
            self.pipes.append(pipe)
        self._victims = 0
        self._new_victim()

    def _start(self, main: Any, place: Place) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=main, args=(theirs, place), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _new_victim(self) -> None:
        self._victims += 1
        base = self._base
        url = f"{self._url}&min_size=2&max_size=4"
        place = Place(self._victims, url, base.effects, base.folder, base.pace, base.seed)
        self._victim, self._victim_pipe = self._start(run_victim, place)

    def kill_one(self) -> None:
        """SIGKILL the durable workers, and start others."""
        os.kill(self._victim.pid, signal.SIGKILL)
        self._victim.join()
        self._victim_pipe.close()
        self._new_victim()

    def tell(self, command: Any) -> None:
        for pipe in self.pipes:
            pipe.send_bytes(msgspec.json.encode(command))

    def answers(self, kind: Any, seconds: float) -> list[Any]:
        """One answer of each client."""
        found = []
        for number, pipe in enumerate(self.pipes):
            if not pipe.poll(seconds):
                msg = f"client {number} did not answer within {seconds:g} s"
                raise TimeoutError(msg)
            found.append(msgspec.json.decode(pipe.recv_bytes(), type=kind))
        return found

    def stop(self) -> None:
        for pipe in (*self.pipes, self._victim_pipe):
            pipe.close()
        for process in (*self.clients, self._victim):
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


def soak(url: str, schema: str, plan: Plan, say: Any) -> Outcome:
    """The whole run. `url` has no query."""
    outcome = Outcome()
    random = Random(plan.seed)
    effects = f'"{schema}".soak_effects'
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(open_store(f"{url}?schema={schema}&min_size=1&max_size=2"))
        store.initialize()
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        connection.execute(EFFECTS.format(effects=effects))  # type: ignore[call-overload]
        processes = Processes(Place(0, "", effects, folder, plan.pace, plan.seed, plan.twin), f"{url}?schema={schema}")
        stack.callback(processes.stop)
        # A plot has some hundred points across.
        interval = max(0.5, plan.minutes * 60 / 900)
        sampler = Sampler(
            url,
            {
                f"{scheme.partition('+')[2] or ('psycopg threads', 'psycopg tasks')[n]}": process.pid
                for n, (scheme, process) in enumerate(zip(SCHEMES, processes.clients, strict=True))
            },
            interval,
        )
        sampler.start()
        stack.callback(sampler.stop)
        notes = Notes(folder)
        processes.answers(None, 60)
        began = time.monotonic()
        digests: list[tuple[int, int, bytes]] = []
        judging: list[Played] = []
        origin = time.perf_counter_ns()
        number = 0
        while number * plan.window < plan.minutes * 60 and len(outcome.wrong) < 20:
            number += 1
            now = time.monotonic()
            window = Window(
                number,
                random.getrandbits(90),
                origin,
                store.head_position(),
                now + plan.window,
                now + min(1.0, plan.window / 2),
                number % 4 == 0,
            )
            outcome.hand_overs += len(SCHEMES) * window.hand_over
            processes.tell(window)
            killer = (
                threading.Timer(plan.window * random.uniform(0.2, 0.8), processes.kill_one) if number % 3 == 0 else None
            )
            if killer:
                killer.start()
                outcome.kills += 1
            while judging:
                _judge(judging.pop(), outcome, plan, began)
            processes.answers(None, plan.window + 60)
            if killer:
                killer.join()
            played = _look_back(store, connection, effects, notes, processes, window, plan)
            played.seconds = time.monotonic() - now
            with suppress(SubscriptionNotFoundError):  # on a machine so busy that its second was over at once
                store.subscriptions.reset(f"shared{number}")
            head = max((event.position for events in played.streams.values() for event in events), default=window.start)
            digests.append((window.start, head, _digest(played)))
            judging.append(played)
            if number % max(1, round(60 / plan.window)) == 0:
                say(f"{(time.monotonic() - began) / 60:5.1f} min: {number} windows, {outcome.judged} calls judged, "
                    f"{len(outcome.wrong)} wrong")  # fmt: skip
        while judging:
            _judge(judging.pop(), outcome, plan, began)
        sampler.stop()
        outcome.samples = sampler.samples
        processes.tell(Stop())
        processes.stop()
        _whole(store, digests, outcome)
    return outcome


def _look_back(
    store: Any, connection: Any, effects: str, notes: Notes, processes: Processes, window: Window, plan: Plan
) -> Played:
    """Wait for the followers, then read what is stored."""
    scribe = scribe_of(window)
    streams = {short: scribe.seen(store.read_stream(name)) for short, name in scribe.names().items()}
    feed = sorted(event.position for events in streams.values() for event in events)
    head = feed[-1] if feed else window.start
    processes.tell(Drain(head, plan.patience))
    reports = processes.answers(Report, plan.patience + 60)
    until = time.monotonic() + plan.patience
    exact: list[int] = []
    least: list[tuple[int, int]] = []
    while time.monotonic() < until:
        rows = connection.execute(f"SELECT position FROM {effects} ORDER BY n").fetchall()
        exact = [position for (position,) in rows]
        least += notes.new()
        if set(exact) >= set(feed) and {position for _, position in least} >= set(feed):
            break
        time.sleep(0.05)
    connection.execute(f"DELETE FROM {effects}")
    return Played(window, reports, streams, exact, [position for _, position in sorted(least)], 0.0)


def _judge(played: Played, outcome: Outcome, plan: Plan, began: float) -> None:
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
    found += list(judge_deliveries(feed, played.exact, played.least))
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


def _digest(played: Played) -> bytes:
    events = sorted((event.position, event.version, event.event) for them in played.streams.values() for event in them)
    return hashlib.blake2b(repr(events).encode(), digest_size=16).digest()


def _whole(store: Any, digests: list[tuple[int, int, bytes]], outcome: Outcome) -> None:
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


def as_dict(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """All figures, for JSON."""
    told = asdict(plan) | {"keep": None}
    return {"plan": told, **asdict(outcome)}
