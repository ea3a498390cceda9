"""Runs a program for real, with threads or tasks, and gives the history of it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from conformance_tests.histories.actors import Actor
from conformance_tests.histories.driving import LONGEST, Ask, drive, drive_async
from conformance_tests.histories.history import History
from conformance_tests.histories.scribe import Scribe
from conformance_tests.histories.switching import named_thread, pauses, short_turns
from conformance_tests.histories.watchers import Watcher
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.histories.driving import Steps
    from conformance_tests.histories.history import Seen
    from conformance_tests.histories.program import Program

_PATIENCE = 1.0
"""Seconds without a delivery after which a subscription is taken to have stalled."""
_LEAVE = 5.0
"""Seconds that a closed subscription has to end."""
_GLANCE = 0.002


@dataclass(frozen=True)
class Setting:
    """How one run is made."""

    tag: str
    """What its streams begin with; no other history of the namespace has it."""
    seed: int
    """Of its pauses and event ids."""
    pausing: float = 0.0
    """How likely a thread pauses between two lines of the adapter."""
    start: int = 0
    """The position after which its feed begins."""


class _Run:
    """What both doors set up."""

    def __init__(self, program: Program, handles: Sequence[Any], setting: Setting) -> None:
        random = Random(setting.seed)  # noqa: S311 -- repeatable, not secret
        self.scribe = Scribe(setting.tag, random.getrandbits(90), program.streams)
        self.setting = setting
        self.handles = handles
        self.actors = [
            Actor(number, self._handle(number), self.scribe, setting.start, random) for number in range(program.actors)
        ]
        self.watchers = [
            Watcher(number, plan, self._handle(program.actors + number), self.scribe, setting.start)
            for number, plan in enumerate(program.followers)
        ]
        self.random = random

    def _handle(self, number: int) -> Any:
        return self.handles[number % len(self.handles)]

    def streams(self, found: dict[str, tuple[Seen, ...]]) -> Steps:
        """Read every stream, all writers having ended."""
        for short, name in self.scribe.names().items():
            events = yield Ask(partial(self.handles[0].read_stream, name), many=True)
            found[short] = self.scribe.seen(events)

    def expected(self, watcher: Watcher, found: dict[str, tuple[Seen, ...]]) -> int:
        """How many events a follower is still to be given in all."""
        return sum(len(events) for short, events in found.items() if watcher.stream in (None, short))

    def history(self, found: dict[str, tuple[Seen, ...]], stuck: list[str]) -> History:
        """What was written down."""
        unique = Capability.UNIQUE_EVENT_IDS in self.handles[0].capabilities
        return History(self.scribe.all_calls(), found, start=self.setting.start, unique_ids=unique, stuck=tuple(stuck))


def play(program: Program, handles: Sequence[Any], setting: Setting) -> History:
    """Run it on sync stores, a thread an actor."""
    run = _Run(program, handles, setting)
    meeting = threading.Barrier(max(1, program.actors))

    broken: list[BaseException] = []

    def work(steps: Steps, seed: int) -> None:
        try:
            with pauses(Random(seed), setting.pausing):  # noqa: S311 -- as above
                drive(steps, meeting)
        except BaseException as error:  # noqa: BLE001 -- raised again by whoever plays
            broken.append(error)
            meeting.abort()

    def thread(name: str, steps: Steps) -> threading.Thread:
        seed = run.random.getrandbits(32)
        return named_thread(name, lambda: work(steps, seed))

    actors = {actor.name: thread(actor.name, actor.rounds(program.rounds)) for actor in run.actors}
    watchers = {watcher.name: thread(watcher.name, watcher.steps()) for watcher in run.watchers}
    with short_turns():
        for one in [*watchers.values(), *actors.values()]:
            one.start()
        stuck = _join(actors, LONGEST)
    found: dict[str, tuple[Seen, ...]] = {}
    if not stuck:
        _look_back(run, found)
    stuck += _dismiss(run, watchers, None if stuck else found)
    if broken:
        raise broken[0]
    return run.history(found, stuck)


def _look_back(run: _Run, found: dict[str, tuple[Seen, ...]]) -> None:
    """Read what is stored now that nobody writes."""
    alone = threading.Barrier(1)
    drive(run.streams(found), alone)
    for actor in run.actors:
        drive(actor.finish(), alone)


def _dismiss(run: _Run, watchers: dict[str, threading.Thread], found: dict[str, tuple[Seen, ...]] | None) -> list[str]:
    """Let the followers catch up, then end them; tell who does not end."""
    for watcher in run.watchers:
        watcher.writing = False
    if found is not None:
        waiting = _Waiting(run, found)
        while waiting.goes_on():
            time.sleep(_GLANCE)
    for watcher in run.watchers:
        if watcher.subscription is not None:
            watcher.subscription.close()
    return _join(watchers, _LEAVE)


def _join(threads: dict[str, threading.Thread], seconds: float) -> list[str]:
    """Wait for all; tell which have not ended."""
    until = time.monotonic() + seconds
    for thread in threads.values():
        thread.join(max(0.0, until - time.monotonic()))
    return [name for name, thread in threads.items() if thread.is_alive()]


class _Waiting:
    """Whether the subscriptions still have something to come, and have been given something lately."""

    def __init__(self, run: _Run, found: dict[str, tuple[Seen, ...]]) -> None:
        live = [watcher for watcher in run.watchers if watcher.plan.live]
        self._wanted = [(watcher, run.expected(watcher, found)) for watcher in live]
        self._seen, self._since = 0, time.monotonic()

    def goes_on(self) -> bool:
        seen = sum(watcher.delivered for watcher, _ in self._wanted)
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        late = any(watcher.delivered < wanted for watcher, wanted in self._wanted)
        return late and time.monotonic() - self._since < _PATIENCE


async def play_async(program: Program, handles: Sequence[Any], setting: Setting) -> History:
    """Run it on async stores of this event loop, a task an actor."""
    run = _Run(program, handles, setting)
    meeting = asyncio.Barrier(max(1, program.actors))
    tasks = {
        watcher.name: asyncio.create_task(drive_async(watcher.steps(), meeting), name=watcher.name)
        for watcher in run.watchers
    }
    actors = {
        actor.name: asyncio.create_task(drive_async(actor.rounds(program.rounds), meeting), name=actor.name)
        for actor in run.actors
    }
    stuck = await _join_async(actors, LONGEST)
    found: dict[str, tuple[Seen, ...]] = {}
    if not stuck:
        alone = asyncio.Barrier(1)
        await drive_async(run.streams(found), alone)
        for actor in run.actors:
            await drive_async(actor.finish(), alone)
    for watcher in run.watchers:
        watcher.writing = False
    if not stuck:
        waiting = _Waiting(run, found)
        while waiting.goes_on():  # noqa: ASYNC110 -- it also ends by the clock, which no event tells
            await asyncio.sleep(_GLANCE)
    for watcher in run.watchers:
        if watcher.subscription is not None:
            await watcher.subscription.close()
    stuck += await _join_async(tasks, _LEAVE)
    return run.history(found, stuck)


async def _join_async(tasks: dict[str, asyncio.Task[None]], seconds: float) -> list[str]:
    if not tasks:
        return []
    await asyncio.wait(tasks.values(), timeout=seconds)
    late = [name for name, task in tasks.items() if not task.done()]
    for task in tasks.values():
        task.cancel()
    await asyncio.wait(tasks.values(), timeout=1)
    for task in tasks.values():
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return late
