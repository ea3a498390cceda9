"""The feed: what each reader was given, compared with what was stored in the end."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conformance_tests.histories.facts import NEVER, Facts, Violation, ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance_tests.histories.history import Call, Seen


def pages_never_change(facts: Facts) -> Iterator[Violation]:
    """FEED-01, 02, 06, READ-03: a page holds all events up to where it says to go on, once and in order."""
    if not facts.complete:
        return
    for call in facts.calls:
        if call.kind == "poll" and call.outcome == "ok" and call.number is not None:
            wanted = _between(facts, call.after, call.number, call.stream)
            yield from _same(facts, call, call.events, wanted, "FEED-01")
            yield from _moves_on(facts, call, call.number)
            if call.limit is not None and len(call.events) > call.limit:
                yield Violation(
                    "READ-03", "the size of a page", f"at most {call.limit}", str(len(call.events)), (call,)
                )


def read_all_is_a_prefix(facts: Facts) -> Iterator[Violation]:
    """FEED-01, READ-03: `read_all` gives all events up to its mark, backwards the same set reversed."""
    if not facts.complete:
        return
    for call in facts.calls:
        if call.kind == "read_all" and call.outcome == "ok" and call.events:
            events = call.events[::-1] if call.backward else call.events
            wanted = _between(facts, call.after, max(event.position for event in events), call.stream)
            yield from _same(facts, call, events, wanted, "FEED-01")


def subscriptions_are_the_feed(facts: Facts) -> Iterator[Violation]:
    """SUB-01, 02, 05: the batches of a subscription are the feed, once and in order, to its end."""
    if not facts.complete:
        return
    steps: dict[tuple[str, int], list[Call]] = defaultdict(list)
    for call in facts.calls:
        if call.subscription is not None and call.outcome in {"ok", "open"}:
            steps[call.actor, call.subscription].append(call)
    for calls in steps.values():
        given = [call for call in calls if call.outcome == "ok"]
        for call in given:
            if not call.events or (call.limit is not None and len(call.events) > call.limit):
                yield Violation(
                    "SUB-05",
                    "the size of a subscription's batch",
                    f"1 to {call.limit} events",
                    str(len(call.events)),
                    (call,),
                )
                continue
            wanted = _between(facts, call.after, max(it.position for it in call.events), call.stream)
            yield from _same(facts, call, call.events, wanted, "SUB-01")
        seen = {event.event for call in given for event in call.events}
        wanted = _between(facts, facts.history.start, NEVER, calls[0].stream)
        missing = [event for event in wanted if event.event not in seen]
        top = max((event.position for call in given for event in call.events), default=facts.history.start)
        if missing and all(event.position > top for event in missing):
            yield Violation(
                "SUB-02",
                "a subscription stalled with nothing left in flight",
                f"{len(wanted)} events",
                f"{len(wanted) - len(missing)}; the first one missing is {_told(missing[0])}",
                tuple(given[-2:]),
            )


def _same(facts: Facts, call: Call, events: Sequence[Seen], wanted: Sequence[Seen], rule: str) -> Iterator[Violation]:
    if _keys(events) == _keys(wanted):
        return
    given = [event.event for event in events]
    missing = [event for event in wanted if event.event not in set(given)]
    extra = [event for event in events if event.event in facts.stored and not rule_allows(call, event)]
    positions = [event.position for event in events]
    if missing:
        what = f"{call.actor} was taken past {_told(missing[0])}, which it was not given"
        calls = (call, *facts.writer.get(missing[0].event, ())[:2])
        yield Violation(rule, what, str([event.position for event in wanted]), f"positions {positions}", calls)
    elif len(set(given)) < len(given) or extra:
        repeated = extra or [event for event in events if given.count(event.event) > 1]
        what = f"{call.actor} was given {_told(repeated[0])} more than once"
        rule = rule if rule == "SUB-01" else "FEED-06"
        yield Violation(rule, what, str([event.position for event in wanted]), f"positions {positions}", (call,))
    elif all(event.event in facts.stored for event in events):
        rule = rule if rule == "SUB-01" else "FEED-02"
        what = f"{call.actor} was given events out of order, or not as they are stored"
        yield Violation(rule, what, str(_keys(wanted)), str(_keys(events)), (call,))


def rule_allows(call: Call, event: Seen) -> bool:
    """Whether an event belongs above the position that a call read after."""
    return event.position > call.after and call.stream in (None, event.stream)


def _moves_on(facts: Facts, call: Call, position: int) -> Iterator[Violation]:
    last = call.events[-1].position if call.events else call.after
    newest = max((event.position for event in facts.feed if facts.shown_from(event) < ended(call)), default=call.after)
    if position < last or (position > last and position > newest):
        yield Violation(
            "FEED-06",
            f"where {call.actor} is told to go on after position {call.after}",
            f"from {last} to {max(last, newest)}, the newest event committed so far",
            str(position),
            (call,),
        )


def heads_are_in_the_feed(facts: Facts) -> Iterator[Violation]:
    """FEED-05: the head is an event's position that the feed gives, and never goes back."""
    if not facts.complete:
        return
    positions = {event.position for event in facts.feed}
    heads = [call for call in facts.calls if call.kind == "head" and call.outcome == "ok" and call.number is not None]
    polls = [call for call in facts.calls if call.kind == "poll" and call.outcome == "ok" and call.tx is None]
    highest: Call | None = None
    for call in sorted(heads, key=lambda it: it.begun):
        head = call.number or 0
        if head > facts.history.start and head not in positions:
            yield Violation("FEED-05", "the head", "the position of a committed event", str(head), (call,))
        for poll in polls:
            if _at_the_end(poll) and poll.begun > ended(call) and poll.number is not None and poll.number < head:
                yield Violation(
                    "FEED-05", "a poll after the head was told", f"events up to {head}", str(poll.number), (call, poll)
                )
                break
        if highest is not None and ended(highest) < call.begun and head < (highest.number or 0):
            yield Violation("FEED-05", "the head", f"at least {highest.number}", f"back at {head}", (highest, call))
        if highest is None or head > (highest.number or 0):
            highest = call


def _at_the_end(poll: Call) -> bool:
    """Whether a page says that there is no more: any other may be shorter than its limit, and is gone on from."""
    return not poll.events and poll.number == poll.after and poll.stream is None


def the_feed_waits_for_appends_only(facts: Facts) -> Iterator[Violation]:
    """READ-06, FEED-03, 04, 07: what was stored before any append in flight began is shown at once."""
    if not facts.complete or facts.history.faults:
        return
    for call in facts.calls:
        if call.outcome != "ok" or call.stream is not None or call.kind not in {"poll", "read_all", "head"}:
            continue
        if call.kind == "poll" and not _at_the_end(call):
            continue
        flying = [span.begun for span in facts.spans if span.begun < ended(call) and span.ended > call.begun]
        floor = min([call.begun, *flying])
        top = call.number if call.kind in {"poll", "head"} and call.number is not None else _top(call)
        late = [event for event in facts.feed if facts.certain_from(event) < floor and event.position > top]
        if late and late[0].position > call.after:
            yield Violation(
                _why(facts, call, bool(flying)),
                f"{call.kind} of {call.actor} does not show {_told(late[0])}",
                "all that was stored before any append in flight began",
                f"nothing above position {top}",
                (*facts.writer.get(late[0].event, ())[:1], call),
            )


def _why(facts: Facts, call: Call, in_flight: bool) -> str:  # noqa: FBT001 -- one private caller
    if in_flight:
        return "FEED-07"
    idle = [
        tx
        for tx, begin in facts.begins.items()
        if begin.begun < ended(call) and (tx not in facts.ends or ended(facts.ends[tx]) > call.begun)
    ]
    if idle:
        return "FEED-04"
    undone = any(end.kind == "rollback" and ended(end) < call.begun for end in facts.ends.values())
    return "FEED-03" if undone else "FEED-05" if call.kind == "head" else "READ-06"


def _top(call: Call) -> float:
    return max((event.position for event in call.events), default=call.after)


def _between(facts: Facts, after: float, until: float, stream: str | None) -> list[Seen]:
    return [event for event in facts.feed if after < event.position <= until and stream in (None, event.stream)]


def _keys(events: Sequence[Seen]) -> list[tuple[int, str, int, int]]:
    return [(event.position, event.stream, event.version, event.event) for event in events]


def _told(event: Seen) -> str:
    return f"event {event.event} at position {event.position} (version {event.version} of {event.stream})"
