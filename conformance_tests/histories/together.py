"""Several actors' steps at once: a thread each on a sync store, a task each on an async one."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from typing import TYPE_CHECKING

from conformance_tests.expect import fail
from conformance_tests.histories.driving import LONGEST, drive, drive_async
from conformance_tests.histories.switching import named_thread, pauses, short_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance_tests.histories.driving import Steps
    from conformance_tests.lab import Lab

_PAUSING = 0.01


def together(lab: Lab, actors: Sequence[Steps]) -> None:
    """Do all of them to their ends."""
    if lab.is_async:
        lab.run(_tasks(actors))
        return
    meeting = threading.Barrier(len(actors))
    broken: list[BaseException] = []

    def work(steps: Steps, seed: int) -> None:
        try:
            with pauses(Random(seed), _PAUSING):  # noqa: S311 -- repeatable, not secret
                drive(steps, meeting)
        except BaseException as error:  # noqa: BLE001 -- raised again below
            broken.append(error)
            meeting.abort()

    def thread(number: int, steps: Steps) -> threading.Thread:
        seed = lab.random.getrandbits(32)
        return named_thread(f"actor {number}", lambda: work(steps, seed))

    threads = [thread(number, steps) for number, steps in enumerate(actors)]
    with short_turns():
        for one in threads:
            one.start()
        for one in threads:
            one.join(LONGEST)
    if broken:
        raise broken[0]
    if any(one.is_alive() for one in threads):
        fail("concurrent calls", expected=f"they end within {LONGEST:g} s", seen="one still waits")


async def _tasks(actors: Sequence[Steps]) -> None:
    meeting = asyncio.Barrier(len(actors))
    await asyncio.wait_for(asyncio.gather(*(drive_async(steps, meeting) for steps in actors)), LONGEST)
