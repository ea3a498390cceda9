"""Checkpoints and leases under workers that race, stall and come back, judged afterwards."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

from conformance_tests.check import Layer, check
from conformance_tests.failure import CheckFailedError
from conformance_tests.histories.acts import judge_checkpoint, judge_leases, steps
from conformance_tests.histories.together import together
from conformance_tests.histories.workers import Worker
from conformance_tests.level import Level
from mink_core import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance_tests.histories.acts import Act, Broken
    from conformance_tests.lab import Lab

LOST_RACES = "saves that lost to another worker"
CHANGED_HANDS = "partitions that changed hands"
FENCED = "saves refused as the lease was lost"

_WORKERS = 5
_PARTITIONS = 3
_ROUNDS = {Level.SMOKE: 3, Level.STANDARD: 15, Level.DEEP: 200}
_SHARING = {Level.SMOKE: 0.6, Level.STANDARD: 4.0, Level.DEEP: 60.0}


def _workers(lab: Lab, acts: list[Act]) -> list[Worker]:
    namespace = lab.namespace()
    return [
        Worker(f"worker {number}", lab.open_native(namespace), acts, Random(lab.random.getrandbits(32)))  # noqa: S311 -- repeatable
        for number in range(_WORKERS)
    ]


def _tell(acts: Sequence[Act], found: Iterator[Broken]) -> None:
    broken = next(found, None)
    if broken is not None:
        what = f"{broken.rule}: {broken.what}"
        raise CheckFailedError(what, broken.expected, broken.seen, timeline=steps(acts, broken.acts))


def _no_errors(acts: Sequence[Act]) -> None:
    for act in acts:
        if act.outcome == "error":
            what = f"SUB-08: {act.kind} by {act.worker}"
            raise CheckFailedError(what, "no error", act.message, steps(acts, [act]))


@check("SUB-08", needs=[Capability.CHECKPOINTS], layer=Layer.HISTORY, requires=[LOST_RACES])
def racing_checkpoints_have_one_winner(lab: Lab) -> None:
    """Of workers that move one checkpoint on at once, one wins from each position; conflicts tell the true one."""
    every: list[Act] = []
    workers = _workers(lab, every)
    for number in range(_ROUNDS[lab.level]):
        every.clear()
        together(lab, [one.moving(f"racing-{number}", index, 12) for index, one in enumerate(workers)])
        for one in workers:
            one.forget()
        acts = list(every)
        lab.count(LOST_RACES, sum(act.outcome == "conflict" for act in acts))
        _no_errors(acts)
        _tell(acts, judge_checkpoint(acts))


@check("SUB-09", needs=[Capability.PARTITIONS], layer=Layer.HISTORY, requires=[CHANGED_HANDS, FENCED])
def partitions_have_one_owner(lab: Lab) -> None:
    """Workers that stall, hand back and come back never have a partition at once, nor write with an old token."""
    acts: list[Act] = []
    workers = _workers(lab, acts)
    until = time.monotonic() + _SHARING[lab.level]
    together(lab, [one.sharing("shared", _PARTITIONS, until) for one in workers])
    _no_errors(acts)
    owners: dict[int, str] = {}
    for act in acts:
        for partition in act.leases:
            if owners.setdefault(partition, act.worker) != act.worker:
                owners[partition] = act.worker
                lab.count(CHANGED_HANDS)
    lab.count(FENCED, sum(act.outcome == "lost" for act in acts))
    _tell(acts, judge_leases(acts))
    for partition in range(_PARTITIONS):
        _tell(
            acts, judge_checkpoint([act for act in acts if act.kind in {"save", "load"} and act.partition == partition])
        )
