"""Plays window after window on all processes, and judges each while the next one runs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from mink_core import SubscriptionNotFoundError, open_store
from tests.soak.history.client import Place, run_client, run_victim, scribe_of
from tests.soak.history.durable import EFFECTS, Notes
from tests.soak.history.judging import Outcome, Plan, Played, digest_of, judge_whole, judge_window
from tests.soak.history.messages import Drain, Report, Stop, Window
from tests.soak.history.sampling import Sampler

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


SCHEMES = ("postgresql", "postgresql", "postgresql+asyncpg")
"""psycopg by threads (a sync store), psycopg by tasks, asyncpg."""


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
        names = ("psycopg threads", "psycopg tasks", "asyncpg")
        pids = {name: process.pid for name, process in zip(names, processes.clients, strict=True)}
        # A plot has some hundred points across.
        sampler = Sampler(url, pids, max(0.5, plan.minutes * 60 / 900))
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
                judge_window(judging.pop(), outcome, plan, began)
            processes.answers(None, plan.window + 60)
            if killer:
                killer.join()
            played = _look_back(store, connection, effects, notes, processes, window, plan)
            played.seconds = time.monotonic() - now
            with suppress(SubscriptionNotFoundError):  # on a machine so busy that its second was over at once
                store.subscriptions.reset(f"shared{number}")
            head = max((event.position for events in played.streams.values() for event in events), default=window.start)
            digests.append((window.start, head, digest_of(played)))
            judging.append(played)
            if number % max(1, round(60 / plan.window)) == 0:
                say(f"{(time.monotonic() - began) / 60:5.1f} min: {number} windows, {outcome.judged} calls judged, "
                    f"{len(outcome.wrong)} wrong")  # fmt: skip
        while judging:
            judge_window(judging.pop(), outcome, plan, began)
        sampler.stop()
        outcome.samples = sampler.samples
        processes.tell(Stop())
        processes.stop()
        judge_whole(store, digests, outcome)
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


def as_dict(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """All figures, for JSON."""
    told = asdict(plan) | {"keep": None}
    return {"plan": told, **asdict(outcome)}
