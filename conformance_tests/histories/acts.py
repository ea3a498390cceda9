"""Checkpoints and leases under concurrent workers: what each did and when, and the judges of it.

A checkpoint is a register that moves by compare-and-set; a lease is a right that one worker has at a time.
Every function below is pure.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from conformance_tests.failure import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECOND = 1_000_000_000


class Act(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call of a worker, between two looks at one monotonic clock, in nanoseconds."""

    worker: str
    begun: int
    ended: int
    kind: str
    """save, load, hold, release, leave."""
    outcome: str
    """ok, conflict, lost, error."""
    position: int | None = None
    """What was saved or loaded, or the `actual` of a conflict."""
    expected: int | None = None
    partition: int = 0
    """Of a save under a lease, or a release."""
    token: int | None = None
    """Of the lease that a save was fenced with."""
    leases: dict[int, int] = {}
    """What a hold gave: tokens by partition."""
    seconds: float = 0.0
    """For how long."""
    message: str = ""


class Broken(msgspec.Struct, frozen=True):
    """One way in which acts break a rule."""

    rule: str
    what: str
    expected: str
    seen: str
    acts: tuple[Act, ...]


def judge_checkpoint(acts: Sequence[Act]) -> Iterator[Broken]:
    """SUB-08: saves from one position have one winner, none goes back, and what is told was true meanwhile."""
    saves = [act for act in acts if act.kind == "save" and act.outcome == "ok"]
    following: dict[int | None, Act] = {}
    for save in saves:
        rival = following.setdefault(save.expected, save)
        if rival is not save:
            yield Broken(
                "SUB-08",
                f"two workers moved the checkpoint on from {save.expected}",
                "one winner",
                f"to {rival.position} and to {save.position}",
                (rival, save),
            )
    chain: list[Act] = []
    at: int | None = None
    while at in following and len(chain) < len(saves):
        chain.append(following[at])
        at = following[at].position
    for stray in saves:
        if stray not in chain and following[stray.expected] is stray:
            yield Broken(
                "SUB-08",
                "a save from a position that nobody had saved",
                "a conflict",
                f"from {stray.expected}",
                (stray,),
            )
    for before, after in pairwise(chain):
        if after.ended < before.begun:
            yield Broken(
                "SUB-08", "the order of two saves", "that of their positions", "the other way", (before, after)
            )
    for act in acts:
        told = act.kind == "load" and act.outcome == "ok"
        if told or (act.kind == "save" and act.outcome == "conflict"):
            yield from _was_true(chain, act)


def _was_true(chain: Sequence[Act], act: Act) -> Iterator[Broken]:
    values = [None, *(save.position for save in chain)]
    begun = [0, *(save.begun for save in chain)]
    ended = [*(save.ended for save in chain), act.ended + 1]
    true = [
        value for value, first, last in zip(values, begun, ended, strict=True) if first < act.ended and last > act.begun
    ]
    if act.position not in true:
        yield Broken(
            "SUB-08",
            "what was told of the checkpoint" if act.kind == "load" else "the position that a conflict names",
            f"one of {true}, which it had during the call",
            str(act.position),
            (act, *chain[-3:]),
        )
    elif act.outcome == "conflict" and act.position == act.expected:
        yield Broken(
            "SUB-08", f"a save from {act.expected}", "it is saved", "a conflict with that same position", (act,)
        )


def judge_leases(acts: Sequence[Act]) -> Iterator[Broken]:
    """SUB-09: a partition has one owner at a time, tokens grow, and nobody writes with an old one."""
    grants: dict[int, list[Act]] = defaultdict(list)
    for act in sorted(acts, key=lambda one: one.begun):
        for partition in act.leases:
            grants[partition].append(act)
    for partition, held in grants.items():
        yield from _one_owner(partition, held, acts)
        yield from _tokens_grow(partition, held)
        yield from _old_tokens_are_refused(partition, held, acts)


def _one_owner(partition: int, held: Sequence[Act], acts: Sequence[Act]) -> Iterator[Broken]:
    for index, mine in enumerate(held):
        until = _certain_until(mine, partition, acts)
        for other in held[index + 1 :]:
            if other.begun >= until:
                break
            if other.worker != mine.worker and other.begun > mine.ended and other.ended < until:
                yield Broken(
                    "SUB-09",
                    f"partition {partition} was given to {other.worker} while {mine.worker} had it",
                    f"it is {mine.worker}'s for {mine.seconds:g} s after its last call, or until it is handed back",
                    f"given away {(other.ended - mine.begun) / SECOND:.3f} s after that",
                    (mine, other),
                )
                return


def _certain_until(mine: Act, partition: int, acts: Sequence[Act]) -> float:
    """Until when the partition is the worker's by what it was told, at the least."""
    until = mine.begun + mine.seconds * SECOND
    for act in acts:
        ends = act.kind == "leave" or (act.kind == "release" and act.partition == partition) or act.kind == "hold"
        if act.worker == mine.worker and ends and act.begun > mine.ended:
            until = min(until, act.begun)
    return until


def _tokens_grow(partition: int, held: Sequence[Act]) -> Iterator[Broken]:
    owner: dict[int, Act] = {}
    highest: Act | None = None
    for act in sorted(held, key=lambda one: one.ended):
        token = act.leases[partition]
        first = owner.setdefault(token, act)
        if first.worker != act.worker:
            yield Broken(
                "SUB-09",
                f"the token {token} of partition {partition}",
                "one worker's",
                f"{first.worker}'s and {act.worker}'s",
                (first, act),
            )
        if highest is not None and highest.ended < act.begun and token < highest.leases[partition]:
            yield Broken(
                "SUB-09", f"the tokens of partition {partition}", "they grow", f"{token} came later", (highest, act)
            )
        if highest is None or token > highest.leases[partition]:
            highest = act


def _old_tokens_are_refused(partition: int, held: Sequence[Act], acts: Sequence[Act]) -> Iterator[Broken]:
    for act in acts:
        if act.token is None or act.partition != partition or act.outcome != "ok":
            continue
        for newer in held:
            if newer.leases[partition] > act.token and newer.ended < act.begun:
                yield Broken(
                    "SUB-09",
                    f"{act.worker} saved with token {act.token} of partition {partition}",
                    f"LeaseLostError, as {newer.worker} had been given token {newer.leases[partition]}",
                    f"the checkpoint was moved to {act.position}",
                    (newer, act),
                )
                break


def steps(acts: Sequence[Act], at_fault: Sequence[Act]) -> list[Step]:
    """The acts to show, around those at fault."""
    center = at_fault[-1].begun if at_fault else 0
    near = sorted(acts, key=lambda act: (act not in at_fault, abs(act.begun - center)))[:40]
    return [
        Step(act.worker, _call(act), _outcome(act), act.begun / SECOND, act.ended / SECOND, act in at_fault)
        for act in sorted(near, key=lambda act: act.begun)
    ]


def _call(act: Act) -> str:
    match act.kind:
        case "save":
            fenced = "" if act.token is None else f" part {act.partition} token {act.token}"
            return f"save{fenced} {act.expected} to {act.position if act.outcome == 'ok' else '…'}"
        case "hold":
            return f"hold for {act.seconds:g} s"
        case "release":
            return f"release part {act.partition}"
        case _:
            return act.kind


def _outcome(act: Act) -> str:
    if act.kind == "hold" and act.outcome == "ok":
        return f"parts {act.leases}"
    if act.outcome == "conflict":
        return f"conflict, actual {act.position}"
    return str(act.position) if act.kind == "load" else act.outcome
