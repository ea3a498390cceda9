"""What the actors of a window do: every operation of the kit's own programs, at a modest pace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance_tests.histories.program import Again, Append, Batch, Head, Info, Poll, Read, ReadAll, Transact, Wait
from tests.soak.history.messages import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from conformance_tests.histories.program import Expect, Op

MIX = {
    "append": 40,
    "shared": 5,
    "again": 10,
    "batch": 8,
    "transact": 8,
    "read": 9,
    "info": 4,
    "poll": 12,
    "read_all": 2,
    "head": 2,
}
EXPECTS: list[Expect] = ["seen", "seen", "seen", "fresh", "fresh", "any", "any", "no_stream", "stream_exists", "ahead"]


def paced(random: Random, until: float, pace: float) -> Iterator[Op]:
    """Operations until a moment, with a pause of `pace` seconds between two on average."""
    kinds = [kind for kind, weight in MIX.items() for _ in range(weight)]
    while time.monotonic() < until:
        yield Wait(min(random.expovariate(1 / pace), 4 * pace) * 1000)
        yield _op(random, random.choice(kinds))


def _op(random: Random, kind: str) -> Op:  # noqa: PLR0911 -- a kind each
    match kind:
        case "append":
            return _append(random)
        case "shared":
            # The very same call by several processes: few numbers, one stream and size for each.
            number = random.randrange(30)
            expect: Expect = random.choice(["seen", "fresh", "no_stream"])
            return Append(number % STREAMS, 1 + number % 2, expect, 10 + number)
        case "again":
            return Again()
        case "batch":
            return Batch(tuple(_append(random) for _ in range(random.randint(1, 4))))
        case "transact":
            return _transaction(random)
        case "read":
            return Read(random.randrange(STREAMS))
        case "info":
            return Info(random.randrange(STREAMS))
        case "poll":
            return Poll(random.choice([100, 1, 2, 5]), random.random() < 0.1)
        case "read_all":
            return ReadAll(random.random() < 0.5)
        case _:
            return Head()


def _append(random: Random) -> Append:
    return Append(random.randrange(STREAMS), random.randint(1, 3), random.choice(EXPECTS))


def _transaction(random: Random) -> Transact:
    # All transactions lock streams in one order, so that none waits for another in a circle.
    appends = sorted((_append(random) for _ in range(random.randint(1, 3))), key=lambda it: it.stream)
    steps: list[Append | Read | Poll] = [*appends]
    if random.random() < 0.3:
        steps.insert(random.randint(0, len(steps)), Read(random.randrange(STREAMS)))
    held = random.choice([0.0, 1.0, 5.0, 40.0])
    return Transact(tuple(steps), held, random.random() < 0.7)
