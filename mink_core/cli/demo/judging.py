"""What must hold after the writing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mink_core.cli.demo.outcome import Check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

    from mink_core import StoredEvent
    from mink_core.cli.demo.following import Follower
    from mink_core.cli.demo.writing import Written

Seen = tuple[int, "UUID"]
"""An event as a follower got it: its position and id."""


@dataclass(frozen=True)
class Difference:
    """How what a follower got differs from the log."""

    missed: int
    repeated: int
    out_of_order: int
    unknown: int
    """Given to the follower, but not in the log."""

    @property
    def is_none(self) -> bool:
        """Whether it got exactly the log."""
        return not (self.missed or self.repeated or self.out_of_order or self.unknown)


def compare(seen: Sequence[Seen], log: Collection[Seen]) -> Difference:
    """Compare what a follower got with what it should have got."""
    wanted, got = set(log), set(seen)
    return Difference(
        missed=len(wanted - got),
        repeated=len(seen) - len(got),
        out_of_order=sum(after[0] < before[0] for before, after in pairwise(seen)),
        unknown=len(got - wanted),
    )


def judge_followers(followers: Sequence[Follower], log: Sequence[StoredEvent]) -> Iterator[Check]:
    """Every follower got what `read_all` gives above where it began: 0 missed, 0 repeated, 0 out of order."""
    for follower in followers:
        wanted = [(it.global_position, it.event_id) for it in log if it.global_position > follower.after_position]
        found = compare(follower.seen, wanted)
        detail = f"{len(wanted):,}: {found.missed} missed, {found.repeated} repeated, {found.out_of_order} disordered"
        if found.unknown:
            detail += f", {found.unknown} not in the log"
        yield Check(f"follower {follower.name}", found.is_none and bool(wanted), detail)


def judge_log(written: Written, log: Sequence[StoredEvent]) -> Iterator[Check]:
    """What was acknowledged is there, once, nothing else is, and no bid was lost."""
    acknowledged, logged = written.event_ids, [event.event_id for event in log]
    missing, extra = len(acknowledged - set(logged)), len(logged) - len(acknowledged & set(logged))
    yield Check(
        "nothing acknowledged is missing",
        not missing and not extra,
        f"{len(acknowledged):,} events: {missing} missing, {extra} too many",
    )
    streams: dict[str, list[StoredEvent]] = defaultdict(list)
    for event in log:
        streams[event.stream_id].append(event)
    gaps = sum([it.version for it in events] != list(range(1, len(events) + 1)) for events in streams.values())
    yield Check("versions are 1 to n per stream", not gaps, f"{len(streams)} streams: {gaps} otherwise")
    lots = [[it.data["amount"] for it in events if it.event_type == "BidPlaced"] for events in streams.values()]
    lots = [amounts for amounts in lots if amounts]
    lost = sum(amounts != list(range(1, len(amounts) + 1)) for amounts in lots)
    yield Check("no update lost to a conflict", not lost, f"{len(lots)} contended streams: {lost} lost a bid")
    yield Check(
        "conflicts happened, all resolved",
        written.conflicts > 0 and not written.unresolved,
        f"{written.conflicts:,} met, {written.unresolved} left",
    )


def judge_held(written: Written) -> Iterator[Check]:
    """The feed waited for the transaction that was held open, and said so."""
    held = written.held
    if held is None:
        return
    yield Check(
        "feed waited for the open commit",
        held.head_meanwhile < held.first_position and written.passed_by > 0,
        f"{held.seconds:.1f} s, while {written.passed_by:,} later appends ended",
    )
    yield Check("store named who held it back", held.reported, "named" if held.reported else "not named")
