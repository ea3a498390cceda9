"""How much of what it is about a history really met: a check that met none of it has shown nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from conformance_tests.histories.facts import Facts, ended

if TYPE_CHECKING:
    from conformance_tests.histories.history import Call, History

OVERLAPS = "overlapping appends"
CONFLICTS = "conflicts"
HELD = "commits held open"
UNDONE = "rolled back transactions"
REPEATS = "repeated calls"
PAGES = "pages while an append was in flight"
DELIVERIES = "deliveries"


def count(history: History) -> Counter[str]:
    """What happened in it."""
    facts = Facts(history)
    repeated = Counter(call.items for call in facts.appends if call.outcome in {"ok", "duplicate"})
    spans = sorted((span.begun, span.ended) for span in facts.spans)
    found = Counter(
        {
            OVERLAPS: _overlaps(facts.appends),
            CONFLICTS: sum(call.outcome == "conflict" for call in facts.appends),
            HELD: _held(facts),
            UNDONE: sum(end.kind == "rollback" for end in facts.ends.values()),
            REPEATS: sum(number - 1 for number in repeated.values()),
            PAGES: sum(
                call.kind in {"poll", "step"}
                and bool(call.events)
                and any(begun < ended(call) and call.begun < end for begun, end in spans)
                for call in facts.calls
            ),
            DELIVERIES: sum(len(call.events) for call in facts.calls if call.kind == "step"),
        }
    )
    return +found


def _overlaps(calls: list[Call]) -> int:
    """Appends that began before an earlier one, of another actor, had ended."""
    latest, found = 0.0, 0
    for call in sorted(calls, key=lambda it: it.begun):
        found += call.begun < latest
        latest = max(latest, ended(call))
    return found


def _held(facts: Facts) -> int:
    """Commits during whose wait another append was stored above their positions."""
    waiting = [write for write in facts.writes if write.call.tx is not None]
    return sum(
        any(
            other.call.tx != write.call.tx
            and other.placed.first_position > write.placed.last_position
            and other.effect[1] < write.effect[1]
            for other in facts.writes
        )
        for write in waiting
    )
