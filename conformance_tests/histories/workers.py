"""Workers that move checkpoints on, and that share the partitions of a subscription."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.histories.acts import Act
from conformance_tests.histories.driving import Ask, Meet, Sleep
from mink_core import CheckpointConflictError, LeaseLostError, MinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from random import Random

    from conformance_tests.histories.driving import Request, Steps
    from mink_core import Lease

_ALIVE = 0.12
"""Seconds that a worker counts as alive; some of them stall for longer."""


class Worker:
    """One worker on one handle; what it does is kept in `acts`, which all workers share."""

    def __init__(self, name: str, store: Any, acts: list[Act], random: Random) -> None:
        """Be ready."""
        self.name = name
        self._store = store
        self._acts = acts
        self._random = random
        self._at: int | None = None

    def moving(self, checkpoint: str, number: int, times: int) -> Steps:
        """Move one checkpoint on, against all the others; positions are told apart by the worker's number."""
        yield Meet()
        for _ in range(times):
            yield Sleep(0)
            if self._random.random() < 0.3:  # noqa: PLR2004 -- three in ten
                yield from self._load(checkpoint)
            yield from self._save(checkpoint, (self._at or 0) + 1 + number)

    def forget(self) -> None:
        """Begin with another checkpoint, of which nothing is known."""
        self._at = None

    def sharing(self, subscription: str, partitions: int, until: float) -> Steps:
        """Hold partitions, move their checkpoints under the lease, hand some back, stall now and then."""
        yield Meet()
        kept: list[Lease] = []
        while time.monotonic() < until:
            ask = Ask(self._holding(subscription, partitions))
            act, holding = yield from self._call("hold", ask, {"seconds": _ALIVE}, _granted)
            kept = [*kept[-2:], *holding.leases] if act.outcome == "ok" else kept
            # Also with leases that may be lost by now: those are to be refused.
            for lease in kept:
                yield from self._save_fenced(lease)
            chance = self._random.random()
            if chance < 0.15:  # noqa: PLR2004 -- now and then, as the others below
                yield Sleep(_ALIVE * 1.5)
            elif chance < 0.3 and kept:  # noqa: PLR2004
                lease = kept[-1]
                ask = Ask(partial(self._releasing, lease))
                yield from self._call("release", ask, {"partition": lease.partition}, _nothing)
            elif chance < 0.35:  # noqa: PLR2004
                ask = Ask(lambda: self._store.subscriptions.leave(subscription, self.name))
                yield from self._call("leave", ask, {}, _nothing)
            yield Sleep(self._random.random() * _ALIVE / 3)

    def _releasing(self, lease: Lease) -> Any:
        return self._store.subscriptions.release(lease)

    def _holding(self, subscription: str, partitions: int) -> Callable[[], Any]:
        return lambda: self._store.subscriptions.hold(subscription, self.name, partitions=partitions, seconds=_ALIVE)

    def _load(self, name: str) -> Generator[Request, Any, None]:
        act, _ = yield from self._call("load", Ask(lambda: self._store.checkpoints.load(name)), {}, _loaded)
        self._at = act.position

    def _save(self, name: str, position: int) -> Generator[Request, Any, None]:
        expected = self._at
        ask = Ask(lambda: self._store.checkpoints.save(name, position, expected=expected))
        act, _ = yield from self._call("save", ask, {"expected": expected}, lambda _: {"position": position})
        self._at = act.position

    def _save_fenced(self, lease: Lease) -> Generator[Request, Any, None]:
        name = f"{lease.subscription}-part-{lease.partition}"
        found: list[int | None] = []

        def keep(value: Any) -> dict[str, Any]:
            found.append(None if value is None else value.position)
            return {"position": found[0], "partition": lease.partition}

        yield from self._call("load", Ask(lambda: self._store.checkpoints.load(name)), {}, keep)
        if not found:
            return
        position = (found[0] or 0) + 1
        ask = Ask(lambda: self._store.checkpoints.save(name, position, expected=found[0], lease=lease))
        facts = {"expected": found[0], "partition": lease.partition, "token": lease.token}
        yield from self._call("save", ask, facts, lambda _: {"position": position})

    def _call(
        self, kind: str, ask: Ask, facts: dict[str, Any], told: Callable[[Any], dict[str, Any]]
    ) -> Generator[Request, Any, tuple[Act, Any]]:
        begun = time.perf_counter_ns()
        value: Any = None
        outcome: dict[str, Any]
        try:
            value = yield ask
            outcome = {"outcome": "ok", **told(value)}
        except CheckpointConflictError as error:
            outcome = {"outcome": "conflict", "position": error.actual}
        except LeaseLostError as error:
            outcome = {"outcome": "lost", "message": str(error)}
        except MinkError as error:
            outcome = {"outcome": "error", "message": repr(error)}
        act = Act(worker=self.name, begun=begun, ended=time.perf_counter_ns(), kind=kind, **(facts | outcome))
        self._acts.append(act)
        return act, value


def _granted(holding: Any) -> dict[str, Any]:
    return {"leases": {lease.partition: lease.token for lease in holding.leases}}


def _loaded(checkpoint: Any) -> dict[str, Any]:
    return {"position": None if checkpoint is None else checkpoint.position}


def _nothing(_value: Any) -> dict[str, Any]:
    return {}
