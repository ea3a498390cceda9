"""The steps of the demo on one store, in their order."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mink_core import AdapterNotInstalledError, open_async_store, open_store
from mink_core.cli.demo.following import Follower
from mink_core.cli.demo.judging import judge_followers, judge_held, judge_log
from mink_core.cli.demo.look import TASKS, THREADS, by_tasks, by_threads
from mink_core.cli.demo.outcome import Outcome
from mink_core.cli.demo.plan import Run, Time
from mink_core.cli.demo.writing import writers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mink_core import Store
    from mink_core.cli.demo.outcome import Latency
    from mink_core.cli.demo.writing import Written

_SHARE_OF_WRITING = 0.5
_SHARE_OF_A_LOOK = 0.16
_CATCH_UP_SECONDS = 20.0


@dataclass(frozen=True)
class Target:
    """A store to put to work."""

    name: str
    url: str
    async_urls: Sequence[str]
    """For the look at the async door: the first one whose driver is installed. The data may be another."""
    setting_up: str
    """What opening it means."""


def put_to_work(target: Target, seconds: float, say: Callable[[str], None]) -> Outcome:
    """Run every step on a store.

    Args:
        target: The store.
        seconds: About how long it is kept at work, opening and checking apart.
        say: Called with a line at each step.

    Raises:
        MinkError: The store could not be opened, or failed.
    """
    outcome = Outcome(target.name)
    begun = time.monotonic()
    run = Run()
    say(target.setting_up)
    with open_store(target.url) as store:
        store.initialize()
        _write_and_follow(store, run, seconds * _SHARE_OF_WRITING, outcome, say)
        look = seconds * _SHARE_OF_A_LOOK
        say(f"a look at appends: 1 writer, {THREADS} threads, {TASKS} async tasks")
        outcome.latencies += [by_threads(store, run, 1, look), by_threads(store, run, THREADS, look)]
        outcome.latencies.append(asyncio.run(_look_async(target, run, look, outcome)))
    outcome.seconds = time.monotonic() - begun
    return outcome


def _write_and_follow(store: Store, run: Run, seconds: float, outcome: Outcome, say: Callable[[str], None]) -> None:
    beginning = store.head_position()
    with ExitStack() as stack:
        live = stack.enter_context(Follower(store, run, "from the start", beginning))
        say("writing: hot streams, ANY, a commit held open; a follower is on")
        time_left = Time(seconds)
        finish = stack.enter_context(writers(store, run, time_left))
        time_left.wait_for(0.5)
        say("half of it: two more followers, one to catch up first, one live only")
        late = stack.enter_context(Follower(store, run, "from half, catching up", beginning))
        newest = stack.enter_context(Follower(store, run, "from half, live only", store.head_position()))
        written = finish()
        followers = [live, late, newest]
        for follower in followers:
            follower.wait_until(written.last_position, _CATCH_UP_SECONDS)
        log = [event for event in store.read_all(after_position=beginning, where=run.where) if run.owns(event)]
        say(f"{len(log):,} events are in the log; now what the followers were given")
    outcome.counts = _counts(written)
    outcome.checks += judge_log(written, log)
    outcome.checks += judge_followers(followers, log)
    outcome.checks += judge_held(written)
    if written.held is None:
        outcome.notes.append(f"{outcome.adapter} offers no transactions, so none was held open")


def _counts(written: Written) -> dict[str, int]:
    return {
        "events appended": len(written.event_ids),
        "bids by store.update on hot streams": len(written.bids),
        "conflicts met on the way": written.conflicts,
        "appends with ANY to one stream": len(written.records),
        "appends done while a transaction was held open": written.passed_by,
        "appends rolled back": written.rolled_back,
    }


async def _look_async(target: Target, run: Run, seconds: float, outcome: Outcome) -> Latency:
    for url in target.async_urls:
        try:
            opened = open_async_store(url)
        except AdapterNotInstalledError as error:
            outcome.notes.append(str(error))
            continue
        async with opened as store:
            await store.initialize()
            return await by_tasks(store, run, TASKS, seconds)
    raise AssertionError(target.async_urls)  # pragma: no cover -- the last one needs what the sync door has
