"""Appends: who won, what is stored, and whether each conflict was true at some moment of its call."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from conformance_tests.histories.facts import NEVER, Commit, Facts, Violation, Write, ended
from conformance_tests.histories.history import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance_tests.histories.history import Call, Item, Placed


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
                _writers(facts, *(event.event for event in events)),
            )
        for before, after in itertools.pairwise(events):
            if after.position <= before.position:
                yield Violation(
                    "FEED-02",
                    f"in stream {stream}, version {after.version} follows version {before.version}",
                    f"a position above {before.position}",
                    str(after.position),
                    _writers(facts, before.event, after.event),
                )
            if after.stamp < before.stamp:
                yield Violation(
                    "READ-07",
                    f"in stream {stream}, version {after.version} follows version {before.version}",
                    f"a timestamp of at least {before.stamp} µs",
                    str(after.stamp),
                    _writers(facts, before.event, after.event),
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
                _writers(facts, before.event, after.event),
            )


def results_are_what_is_stored(facts: Facts) -> Iterator[Violation]:
    """APPEND-01, 06, 10: an acknowledged append is stored as its result says."""
    claimed: dict[tuple[str, int], Write] = {}
    for write in facts.writes:
        item, placed, call = write.item, write.placed, write.call
        size = placed.last_version - placed.first_version + 1
        if (size, placed.events, placed.stream) != (len(item.events), item.events, item.stream):
            yield Violation("APPEND-10", "a result tells what was sent", _told(item), _placed(placed), (call,))
            continue
        for version in range(placed.first_version, placed.last_version + 1):
            other = claimed.setdefault((item.stream, version), write)
            if other is not write:
                yield Violation(
                    "APPEND-06",
                    f"version {version} of stream {item.stream} was given to two callers",
                    "one winner",
                    f"{_told(other.item)} and {_told(item)}",
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
            _placed(placed),
            f"there: {[event.event for event in there]}",
            (call, *_writers(facts, *(event.event for event in there))),
        )
    elif (there[0].position, there[-1].position) != (placed.first_position, placed.last_position):
        yield Violation(
            "APPEND-10",
            f"the positions told for an append to {placed.stream}",
            f"{there[0].position} to {there[-1].position}, as a read returns them",
            f"{placed.first_position} to {placed.last_position}",
            (call,),
        )


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
                rule, f"{_told(write.item)} was accepted", f"at version {wanted}", f"at version {first}", calls
            )
        elif expected == "stream_exists" and first == 1:
            yield Violation(
                "APPEND-04", f"{_told(write.item)} was accepted", "a conflict", "it made the stream", (write.call,)
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
            (call, *_writers(facts, *(event.event for event in facts.streams.get(item.stream, ())))),
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
        exact = {(item.stream, item.expected or "no_stream") for item in items if _is_exact(item)}
        # Other expectations are other calls, and under ANY each repetition is one.
        allowed = 1 if facts.history.unique_ids else len(exact) + sum(not _is_exact(item) for item in items)
        if len(places) > allowed:
            yield Violation(
                "APPEND-09",
                f"event {number} is stored more than once",
                f"{allowed} time" + ("s" if allowed > 1 else ""),
                ", ".join(f"{it.stream} version {it.version}" for it in places),
                tuple(calls),
            )


def repeats_are_recognized(facts: Facts) -> Iterator[Violation]:
    """APPEND-09: a call that was stored before gives the first result."""
    first: dict[tuple[Item, ...], Call] = {}
    for call in facts.appends:
        if call.tx is None and call.outcome == "ok" and all(_is_exact(item) for item in call.items):
            known = first.setdefault(call.items, call)
            if known.placed != call.placed:
                yield Violation(
                    "APPEND-09",
                    "a call was repeated",
                    f"the first result: {[_placed(one) for one in known.placed]}",
                    str([_placed(one) for one in call.placed]),
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
                f"the first result: {[_placed(one) for one in known.placed]}",
                f"{call.outcome}: {call.message}",
                (known, call),
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
            yield Violation("APPEND-05", f"{_told(items[0])} was refused", "it is stored", call.message, (call,))
        elif len(items) == 1 and call.kind == "append":
            yield from _justified(facts, call, items[0], call.number)


def _justified(facts: Facts, call: Call, item: Item, actual: int) -> Iterator[Violation]:
    rule = "APPEND-04" if isinstance(item.expected, str) else "APPEND-03"
    met = {"no_stream": actual == 0, "stream_exists": actual > 0}.get(str(item.expected), actual == item.expected)
    if met:
        yield Violation(rule, f"{_told(item)} was refused", "it is stored", call.message, (call,))
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


def batches_are_in_order(facts: Facts) -> Iterator[Violation]:
    """APPEND-11: positions follow the order of the call."""
    for call in facts.appends:
        if call.kind != "batch" or call.outcome != "ok":
            continue
        edges = [edge for placed in call.placed for edge in (placed.first_position, placed.last_position)]
        single = [placed.first_position for placed in call.placed]
        if edges != sorted(edges) or len(set(single)) != len(single):
            yield Violation("APPEND-11", "the positions of a batch", "the order of the call", str(edges), (call,))


def errors_are_the_contracts(facts: Facts) -> Iterator[Violation]:
    """What a call raises is an error of the contract, and no call is refused for no reason."""
    rules = {"append": "APPEND-06", "batch": "APPEND-11", "begin": "TX-01", "commit": "TX-01", "rollback": "TX-01"}
    rules |= {"read": "READ-06", "info": "READ-06", "head": "FEED-05", "step": "SUB-03"}
    for call in facts.calls:
        rule = rules.get(call.kind, "FEED-06")
        if call.outcome == "error":
            yield Violation(rule, f"{call.kind} raised", "an error of the contract", call.message, (call,))
        elif call.outcome == "duplicate" and len(call.items) == 1 and not _was_sent_before(facts, call):
            yield Violation(
                "APPEND-09", f"{_told(call.items[0])} was refused", "its ids are new", call.message, (call,)
            )
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


def _is_exact(item: Item) -> bool:
    return item.expected == "no_stream" or isinstance(item.expected, int)


def _writers(facts: Facts, *numbers: int) -> tuple[Call, ...]:
    counted = Counter(numbers)
    found: dict[int, Call] = {}
    for number in counted:
        for call in facts.writer.get(number, ()):
            found[id(call)] = call
    return tuple(found.values())[:8]


def _told(item: Item) -> str:
    return f"append({item.stream}, {list(item.events)}, expected_version={item.expected})"


def _placed(placed: Placed) -> str:
    versions = f"{placed.first_version}-{placed.last_version}"
    return f"{list(placed.events)} at versions {versions} of {placed.stream}"
