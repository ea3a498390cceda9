"""Appends: what is stored of each call, once, whole and in order."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from conformance_tests.histories.facts import Commit, Facts, Violation, Write, ended
from conformance_tests.histories.history import FOREIGN
from conformance_tests.histories.wording import is_exact, placed_as, told, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance_tests.histories.history import Call, Item


def versions_are_contiguous(facts: Facts) -> Iterator[Violation]:
    """APPEND-02, FEED-02, READ-07: versions 1 to n; positions and timestamps in the same order."""
    for stream, events in facts.streams.items():
        versions = [event.version for event in events]
        if versions != list(range(1, len(events) + 1)):
            yield Violation(
                "APPEND-02",
                f"stream {stream} holds these versions",
                f"1 to {len(events)}",
                str(versions),
                writers(facts, *(event.event for event in events)),
            )
        for before, after in itertools.pairwise(events):
            if after.position <= before.position:
                yield Violation(
                    "FEED-02",
                    f"in stream {stream}, version {after.version} follows version {before.version}",
                    f"a position above {before.position}",
                    str(after.position),
                    writers(facts, before.event, after.event),
                )
            if after.stamp < before.stamp:
                yield Violation(
                    "READ-07",
                    f"in stream {stream}, version {after.version} follows version {before.version}",
                    f"a timestamp of at least {before.stamp} µs",
                    str(after.stamp),
                    writers(facts, before.event, after.event),
                )


def positions_are_unique(facts: Facts) -> Iterator[Violation]:
    """FEED-02: no position belongs to two events."""
    for before, after in zip(facts.feed, facts.feed[1:], strict=False):
        if before.position == after.position:
            yield Violation(
                "FEED-02",
                f"events {before.event} and {after.event} have one position",
                "a position of its own for each event",
                str(after.position),
                writers(facts, before.event, after.event),
            )


def results_are_what_is_stored(facts: Facts) -> Iterator[Violation]:
    """APPEND-01, 06, 10: an acknowledged append is stored as its result says."""
    claimed: dict[tuple[str, int], Write] = {}
    for write in facts.writes:
        item, placed, call = write.item, write.placed, write.call
        size = placed.last_version - placed.first_version + 1
        if (size, placed.events, placed.stream) != (len(item.events), item.events, item.stream):
            yield Violation("APPEND-10", "a result tells what was sent", told(item), placed_as(placed), (call,))
            continue
        for version in range(placed.first_version, placed.last_version + 1):
            other = claimed.setdefault((item.stream, version), write)
            if other is not write:
                yield Violation(
                    "APPEND-06",
                    f"version {version} of stream {item.stream} was given to two callers",
                    "one winner",
                    f"{told(other.item)} and {told(item)}",
                    (other.call, call),
                )
                break
        if facts.complete:
            yield from _stored_as_told(facts, write)


def _stored_as_told(facts: Facts, write: Write) -> Iterator[Violation]:
    placed, call = write.placed, write.call
    there = [
        event
        for event in facts.streams.get(placed.stream, ())
        if placed.first_version <= event.version <= placed.last_version
    ]
    if tuple(event.event for event in there) != placed.events:
        lost = [number for number in placed.events if number not in facts.stored]
        yield Violation(
            "APPEND-01" if lost else "APPEND-10",
            f"an append to {placed.stream} was acknowledged, but " + ("is not stored" if lost else "is elsewhere"),
            placed_as(placed),
            f"there: {[event.event for event in there]}",
            (call, *writers(facts, *(event.event for event in there))),
        )
    elif (there[0].position, there[-1].position) != (placed.first_position, placed.last_position):
        yield Violation(
            "APPEND-10",
            f"the positions told for an append to {placed.stream}",
            f"{there[0].position} to {there[-1].position}, as a read returns them",
            f"{placed.first_position} to {placed.last_position}",
            (call,),
        )


def refusals_store_nothing(facts: Facts) -> Iterator[Violation]:
    """APPEND-01, 03, 11, TX-01: nothing is stored of what was refused or rolled back."""
    for call in facts.appends:
        if facts.fate(call) != "refused":
            continue
        there = [
            number
            for item in call.items
            for number in item.events
            if number in facts.stored and not facts.writer.get(number)
        ]
        if there:
            undone = call.outcome == "ok"
            rule = "TX-01" if undone else "APPEND-11" if call.kind == "batch" else "APPEND-03"
            by = () if call.tx is None or not undone else (facts.ends[call.tx],)
            yield Violation(
                rule,
                "events of an append that was " + ("rolled back" if undone else f"refused ({call.outcome})"),
                "nothing stored",
                f"events {there} are stored",
                (call, *by),
            )


def calls_are_whole(facts: Facts) -> Iterator[Violation]:
    """APPEND-01, 11, TX-01: a call, a batch and a transaction are stored whole or not at all."""
    transactions: dict[int, list[Call]] = defaultdict(list)
    for call in facts.appends:
        if facts.fate(call) == "refused":
            continue
        if call.tx is not None and call.outcome == "ok":
            transactions[call.tx].append(call)
        for item in call.items:
            there = [number for number in item.events if number in facts.stored]
            if there and len(there) < len(item.events):
                yield Violation("APPEND-01", "a call is stored in part", f"all of {item.events}", str(there), (call,))
            yield from _in_a_row(facts, call, item)
        yield from _all_or_none(facts, "APPEND-11", "a batch is stored in part", (call,))
    for calls in transactions.values():
        yield from _all_or_none(facts, "TX-01", "a transaction is stored in part", tuple(calls))


def _in_a_row(facts: Facts, call: Call, item: Item) -> Iterator[Violation]:
    places = [facts.stored[number] for number in item.events if number in facts.stored]
    if len(places) < len(item.events) or any(len(place) > 1 for place in places):
        return
    versions = [place[0].version for place in places]
    if versions != list(range(versions[0], versions[0] + len(versions))):
        yield Violation(
            "APPEND-02",
            f"the events of one call on stream {item.stream}",
            "consecutive versions",
            str(versions),
            (call, *writers(facts, *(event.event for event in facts.streams.get(item.stream, ())))),
        )


def _all_or_none(facts: Facts, rule: str, what: str, calls: tuple[Call, ...]) -> Iterator[Violation]:
    sent = [item for call in calls for item in call.items]
    there = [item for item in sent if any(number in facts.stored for number in item.events)]
    if there and len(there) < len(sent):
        yield Violation(
            rule, what, f"all of {[item.events for item in sent]}", str([item.events for item in there]), calls
        )


def events_are_stored_once(facts: Facts) -> Iterator[Violation]:
    """APPEND-09: a repeated call is stored once."""
    for number, places in facts.stored.items():
        calls = facts.writer.get(number, [])
        if number == FOREIGN or not calls:
            continue
        items = [item for call in calls for item in call.items if number in item.events]
        exact = {(item.stream, item.expected or "no_stream") for item in items if is_exact(item)}
        # Other expectations are other calls, and under ANY each repetition is one.
        allowed = 1 if facts.history.unique_ids else len(exact) + sum(not is_exact(item) for item in items)
        if len(places) > allowed:
            yield Violation(
                "APPEND-09",
                f"event {number} is stored more than once",
                f"{allowed} time" + ("s" if allowed > 1 else ""),
                ", ".join(f"{it.stream} version {it.version}" for it in places),
                tuple(calls),
            )


def batches_are_in_order(facts: Facts) -> Iterator[Violation]:
    """APPEND-11: positions follow the order of the call."""
    for call in facts.appends:
        if call.kind != "batch" or call.outcome != "ok":
            continue
        edges = [edge for placed in call.placed for edge in (placed.first_position, placed.last_position)]
        single = [placed.first_position for placed in call.placed]
        if edges != sorted(edges) or len(set(single)) != len(single):
            yield Violation("APPEND-11", "the positions of a batch", "the order of the call", str(edges), (call,))


def order_is_real_time(facts: Facts) -> Iterator[Violation]:
    """FEED-02: what returned before another began has the lower version and the lower positions."""
    for stream, commits in facts.commits.items():
        latest: Commit | None = None
        for commit in commits:
            if latest is not None and commit.ended < latest.begun:
                yield Violation(
                    "FEED-02",
                    f"in stream {stream}, version {commit.first} was stored before version {latest.last} was sent",
                    "versions in the order of time",
                    "the other way round",
                    (*latest.calls, *commit.calls),
                )
            if latest is None or commit.begun > latest.begun:
                latest = commit
    # Positions are taken by the append itself, also in a transaction.
    by_begin = sorted(facts.writes, key=lambda write: _sent(write)[0])
    by_end = sorted(facts.writes, key=lambda write: _sent(write)[1])
    highest: Write | None = None
    index = 0
    for write in by_begin:
        while index < len(by_end) and _sent(by_end[index])[1] < _sent(write)[0]:
            done = by_end[index]
            if highest is None or done.placed.last_position > highest.placed.last_position:
                highest = done
            index += 1
        if highest is not None and write.placed.first_position <= highest.placed.last_position:
            yield Violation(
                "FEED-02",
                "an append began after another had returned",
                f"positions above {highest.placed.last_position}",
                f"{write.placed.first_position} to {write.placed.last_position}",
                (highest.call, write.call),
            )


def _sent(write: Write) -> tuple[float, float]:
    """Between which moments a write took its positions."""
    return write.effect if write.call.tx is None else (write.call.begun, ended(write.call))
