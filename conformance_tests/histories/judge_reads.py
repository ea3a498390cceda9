"""Reads of streams: whole prefixes, with one's own writes, without what is not committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.histories.facts import NEVER, Facts, Violation, ended
from conformance_tests.histories.history import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance_tests.histories.history import Call, Placed


def reads_are_prefixes(facts: Facts) -> Iterator[Violation]:
    """APPEND-02, READ-06, TX-01: a read gives versions 1 to k, one's own writes among them."""
    if not facts.complete:
        return
    for call in facts.calls:
        if call.kind != "read" or call.outcome != "ok" or call.stream is None:
            continue
        own = _in_transaction(facts, call)
        committed = call.events
        if own:
            committed = tuple(event for event in call.events if event.version < own[0].first_version)
            mine = [event.event for event in call.events[len(committed) :]]
            wrote = [number for placed in own for number in placed.events]
            if mine[: len(wrote)] != wrote:
                yield Violation(
                    "READ-06",
                    f"a transaction reads stream {call.stream}, which it has written",
                    f"its own events {wrote} at the end",
                    str(mine),
                    (call,),
                )
        yield from _is_prefix(facts, call, [event.event for event in committed], [it.version for it in committed])
        yield from _has_own_writes(facts, call, len(committed) if own else len(call.events))


def _is_prefix(facts: Facts, call: Call, numbers: list[int], versions: list[int]) -> Iterator[Violation]:
    stored = [event.event for event in facts.streams.get(call.stream or "", ())]
    if versions != list(range(1, len(versions) + 1)):
        yield Violation(
            "APPEND-02", f"a read of {call.stream}", f"versions 1 to {len(versions)}", str(versions), (call,)
        )
    elif numbers != stored[: len(numbers)]:
        gone = [number for number in numbers if number not in facts.stored]
        rule = "TX-01" if gone else "APPEND-02"
        yield Violation(
            rule,
            f"a read of {call.stream}" + (" gave events that were never committed" if gone else ""),
            str(stored[: len(numbers)]),
            str(numbers),
            (call, *(one for number in gone for one in _senders(facts, number))),
        )


def _has_own_writes(facts: Facts, call: Call, size: int) -> Iterator[Violation]:
    for write in facts.writes:
        if (
            write.call.actor == call.actor
            and write.item.stream == call.stream
            and write.effect[1] < call.begun
            and write.placed.last_version > size
            and _in_transaction(facts, call) == []
        ):
            yield Violation(
                "READ-06",
                f"{call.actor} reads stream {call.stream} after its own append",
                f"at least version {write.placed.last_version}",
                f"version {size}",
                (write.call, call),
            )
            return


def nothing_is_seen_before_its_commit(facts: Facts) -> Iterator[Violation]:
    """TX-01, FEED-09: nobody is shown an event before its commit began, nor one that was never stored."""
    for call in facts.calls:
        if call.outcome != "ok" or not call.events:
            continue
        for event in call.events:
            if event.event == FOREIGN:
                rule = {"step": "SUB-01", "read": "APPEND-02"}.get(call.kind, "FEED-06")
                what = f"{call.kind} of {call.actor} gave an event that is not of this history, or not as appended"
                yield Violation(rule, what, f"events after position {facts.history.start}", str(event), (call,))
                break
            inside = call.tx is not None and any(one.tx == call.tx for one in _senders(facts, event.event))
            if inside and call.kind == "read":
                continue
            if inside:
                yield Violation(
                    "FEED-09", "a transaction's own events in the feed it reads", "none", str(event), (call,)
                )
                break
            shown = facts.shown_from(event)
            if shown >= ended(call):
                yield Violation(
                    "TX-01",
                    f"{call.kind} gave event {event.event} " + ("that was never committed" if shown == NEVER else ""),
                    "only what is committed",
                    "shown before its commit began",
                    (*_senders(facts, event.event), call),
                )
                break


def versions_are_true(facts: Facts) -> Iterator[Violation]:
    """READ-06: `stream_info` tells a version that the stream had, one's own writes among them."""
    if not facts.complete:
        return
    for call in facts.calls:
        if call.kind != "info" or call.outcome not in {"ok", "missing"} or call.stream is None or call.tx is not None:
            continue
        version = call.number if call.outcome == "ok" and call.number is not None else 0
        yield from _has_own_writes(facts, call, version)
        made = {0: -NEVER} | {commit.last: commit.begun for commit in facts.commits.get(call.stream, ())}
        if made.get(version, NEVER) >= ended(call):
            yield Violation(
                "READ-06",
                f"the version of stream {call.stream}",
                f"one it had so far, of {list(made)}",
                str(version),
                (call,),
            )


def _in_transaction(facts: Facts, call: Call) -> list[Placed]:
    """What the call's transaction had stored in the call's stream before it."""
    if call.tx is None:
        return []
    return [
        placed
        for one in facts.appends
        if one.tx == call.tx and one.outcome == "ok" and one.begun < call.begun
        for placed in one.placed
        if placed.stream == call.stream
    ]


def _senders(facts: Facts, number: int) -> list[Call]:
    return [call for call in facts.appends if any(number in item.events for item in call.items)]
