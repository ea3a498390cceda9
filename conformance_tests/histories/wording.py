"""How a violation names calls, events and places."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance_tests.histories.facts import Facts
    from conformance_tests.histories.history import Call, Item, Placed


def is_exact(item: Item) -> bool:
    """Whether an append expects a version, and so is known when it is repeated."""
    return item.expected == "no_stream" or isinstance(item.expected, int)


def writers(facts: Facts, *numbers: int) -> tuple[Call, ...]:
    """Calls that wrote these events, eight at most."""
    counted = Counter(numbers)
    found: dict[int, Call] = {}
    for number in counted:
        for call in facts.writer.get(number, ()):
            found[id(call)] = call
    return tuple(found.values())[:8]


def told(item: Item) -> str:
    """An append as it was sent."""
    return f"append({item.stream}, {list(item.events)}, expected_version={item.expected})"


def placed_as(placed: Placed) -> str:
    """Where an append says that it is stored."""
    versions = f"{placed.first_version}-{placed.last_version}"
    return f"{list(placed.events)} at versions {versions} of {placed.stream}"
