"""The rules of the storage contract; their text is in `rules.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Rule:
    """One promise of the contract."""

    number: str
    text: str
    untested: str = ""
    """Why no check proves it, or what part of it none does; empty where all of it is checked."""
    capability: str = ""
    """The capability without which a store refuses what the rule is about; empty where it is required of all."""

    @property
    def area(self) -> str:
        """APPEND of APPEND-01."""
        return self.number.partition("-")[0]


def _load() -> dict[str, Rule]:
    table = tomllib.loads((files("conformance_tests") / "rules.toml").read_text("utf-8"))
    return {number: Rule(number, **entry) for number, entry in table.items()}


RULES = _load()
"""By number, in the contract's order."""

PLACES = {number: place for place, number in enumerate(RULES)}
"""Where each one stands in that order."""


def known(*numbers: str) -> tuple[str, ...]:
    """Rules' numbers, as what is registered for them keeps them.

    Raises:
        ValueError: There is no such rule.
    """
    if unknown := [number for number in numbers if number not in RULES]:
        msg = f"no such rule: {', '.join(unknown)}"
        raise ValueError(msg)
    return numbers
