"""Appends: who won, and whether each conflict was true at some moment of its call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance_tests.histories.facts import NEVER, Commit, Facts, Violation, ended
from conformance_tests.histories.wording import is_exact, placed_as, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance_tests.histories.history import Call, Item


def successes_met_their_expectation(facts: Facts) -> Iterator[Violation]:
    """APPEND-03, 04, 06: an append was stored where it was expected to be."""
    for write in facts.writes:
        expected, first = write.item.expected, write.placed.first_version
        wanted = {"no_stream": 1}.get(expected) if isinstance(expected, str) else expected + 1
        if wanted is not None and first != wanted:
            # Of callers that race, the others were let in as well; one alone was let in where it should not.
            rivals = [
                one.call
                for one in facts.writes
                if one.item.stream == write.item.stream
                and one.placed.first_version <= wanted <= one.placed.last_version
                and one.effect[1] > write.call.begun
            ]
            rule = "APPEND-06" if rivals else "APPEND-04" if expected == "no_stream" else "APPEND-03"
            calls = (*rivals[:1], write.call)
            yield Violation(
                rule, f"{told(write.item)} was accepted", f"at version {wanted}", f"at version {first}", calls
            )
        elif expected == "stream_exists" and first == 1:
            yield Violation(
                "APPEND-04", f"{told(write.item)} was accepted", "a conflict", "it made the stream", (write.call,)
            )


def conflicts_are_justified(facts: Facts) -> Iterator[Violation]:
    """APPEND-03, 04, 05: the version a conflict names was true during its call, and is not what was expected."""
    for call in facts.appends:
        if call.outcome != "conflict" or call.number is None or not facts.complete:
            continue
        items = [item for item in call.items if item.stream == call.stream]
        if not items:
            yield Violation("APPEND-03", "a conflict names another stream", str(call.items), call.message, (call,))
            continue
        if all(item.expected == "any" for item in items):
            yield Violation("APPEND-05", f"{told(items[0])} was refused", "it is stored", call.message, (call,))
        elif len(items) == 1 and call.kind == "append":
            yield from _justified(facts, call, items[0], call.number)


def _justified(facts: Facts, call: Call, item: Item, actual: int) -> Iterator[Violation]:
    rule = "APPEND-04" if isinstance(item.expected, str) else "APPEND-03"
    met = {"no_stream": actual == 0, "stream_exists": actual > 0}.get(str(item.expected), actual == item.expected)
    if met:
        yield Violation(rule, f"{told(item)} was refused", "it is stored", call.message, (call,))
        return
    own = _own_version(facts, call, item.stream)
    if own is not None:
        if actual != own:
            yield Violation(
                rule, "a conflict inside a transaction that wrote the stream", f"actual={own}", call.message, (call,)
            )
        return
    begun = call.begun if call.tx is None else facts.begins.get(call.tx, call).begun
    true = possible_versions(facts.commits.get(item.stream, []), begun, ended(call))
    if actual not in true:
        blame = [one for commit in facts.commits.get(item.stream, []) for one in commit.calls]
        yield Violation(
            rule,
            f"a conflict on stream {item.stream} names the version that the stream has",
            f"one of {true}, which it had during the call",
            f"actual={actual}",
            (call, *blame[:8]),
        )


def possible_versions(commits: list[Commit], begun: float, until: float) -> list[int]:
    """The versions that a stream can have had at some moment between two."""
    versions: list[int] = []
    for index, version in enumerate([0, *(commit.last for commit in commits)]):
        made = commits[index - 1].begun if index else -NEVER
        gone = commits[index].ended if index < len(commits) else NEVER
        if made < until and gone > begun:
            versions.append(version)
    return versions


def _own_version(facts: Facts, call: Call, stream: str) -> int | None:
    if call.tx is None:
        return None
    own = [
        placed.last_version
        for one in facts.appends
        if one.tx == call.tx and one.outcome == "ok" and one.begun < call.begun
        for placed in one.placed
        if placed.stream == stream
    ]
    return own[-1] if own else None


def repeats_are_recognized(facts: Facts) -> Iterator[Violation]:
    """APPEND-09: a call that was stored before gives the first result."""
    first: dict[tuple[Item, ...], Call] = {}
    for call in facts.appends:
        if call.tx is None and call.outcome == "ok" and all(is_exact(item) for item in call.items):
            known = first.setdefault(call.items, call)
            if known.placed != call.placed:
                yield Violation(
                    "APPEND-09",
                    "a call was repeated",
                    f"the first result: {[placed_as(one) for one in known.placed]}",
                    str([placed_as(one) for one in call.placed]),
                    (known, call),
                )
    for call in facts.appends:
        if call.outcome not in {"conflict", "duplicate"} or call.tx is not None or call.items not in first:
            continue
        known = first[call.items]
        late = known.ended is not None and known.ended < call.begun
        # Also of a call made at the same time: the version it names shows that the other was stored before.
        seen = call.outcome == "duplicate" or any(
            one.stream == call.stream and call.number is not None and call.number >= one.first_version
            for one in known.placed
        )
        if late or seen:
            yield Violation(
                "APPEND-09",
                "a call was repeated with the same ids and the same expectation",
                f"the first result: {[placed_as(one) for one in known.placed]}",
                f"{call.outcome}: {call.message}",
                (known, call),
            )


def errors_are_the_contracts(facts: Facts) -> Iterator[Violation]:
    """What a call raises is an error of the contract, and no call is refused for no reason."""
    rules = {"append": "APPEND-06", "batch": "APPEND-11", "begin": "TX-01", "commit": "TX-01", "rollback": "TX-01"}
    rules |= {"read": "READ-06", "info": "READ-06", "head": "FEED-05", "step": "SUB-03"}
    for call in facts.calls:
        rule = rules.get(call.kind, "FEED-06")
        if call.outcome == "error":
            yield Violation(rule, f"{call.kind} raised", "an error of the contract", call.message, (call,))
        elif call.outcome == "duplicate" and len(call.items) == 1 and not _was_sent_before(facts, call):
            yield Violation("APPEND-09", f"{told(call.items[0])} was refused", "its ids are new", call.message, (call,))
        elif call.outcome == "open" and call.actor in facts.history.stuck:
            yield Violation(
                "SUB-04" if call.kind == "step" else "APPEND-11" if call.kind == "batch" else rule,
                f"{call.kind} of {call.actor} never returned",
                "an end within the time",
                "none in time" if call.kind != "step" else "none after the subscription was closed",
                (call,),
            )


def _was_sent_before(facts: Facts, call: Call) -> bool:
    numbers = set(call.items[0].events)
    return any(
        one is not call
        and one.begun < ended(call)
        and numbers & {number for item in one.items for number in item.events}
        for one in facts.appends
    )
