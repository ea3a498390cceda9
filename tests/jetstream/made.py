"""What tests of JetStream append."""

from __future__ import annotations

from mink_core import NewEvent


def events(count: int = 1) -> list[NewEvent]:
    return [NewEvent("Happened", number) for number in range(count)]
