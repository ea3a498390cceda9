"""How a check is written, and where checks are kept.

A check is a function in a module of `conformance_tests/checks/`, every module of which is loaded:

    @check("APPEND-03")
    def exact_conflict_tells_the_true_version(lab: Lab) -> None:
        \"\"\"One sentence that says what is claimed; reports show it.\"\"\"
        store = lab.open()
        store.append("order-1", lab.events(2), expected_version=0)
        with raises(ConcurrencyError, stream_id="order-1", expected=1, actual=2):
            store.append("order-1", lab.events(1), expected_version=1)
        equal(len(list(store.read_stream("order-1"))), 2, "events stored after the refusal")

It proves one or more rules, the first being the one it is listed under. It says what is wrong by
the helpers of `conformance_tests.expect`, or by raising `CheckFailedError`; any other exception is
a failure as well. What it opens through the lab is closed after it. It draws from `lab.random` only,
so that its seed repeats it.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from conformance_tests.level import Level
from conformance_tests.rules import PLACES, known

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from conformance_tests.lab import Lab
    from mink_core import Capability

Body: TypeAlias = "Callable[[Lab], None]"


class Layer(Enum):
    """How a check looks for a fault."""

    EXAMPLE = "example"
    """A fixed example of a rule or of its edge."""
    MODEL = "model"
    """Random sequences of calls, compared with a model."""
    HISTORY = "history"
    """Random concurrent programs; what happened is judged afterwards."""
    INTERLEAVING = "interleaving"
    """Two or more actors in an order that is forced."""
    FAULT = "fault"
    """Connections cut, calls cancelled."""
    RESOURCE = "resource"
    """What is left behind: connections, threads, tasks, memory."""


@dataclass(frozen=True)
class Check:
    """A function that proves rules, and when it is run."""

    name: str
    rules: tuple[str, ...]
    body: Body
    needs: frozenset[Capability]
    layer: Layer
    level: Level
    requires: tuple[str, ...]

    @property
    def id(self) -> str:
        """The rule it is listed under, and its name."""
        return f"{self.rules[0]}:{self.name}"

    @property
    def claim(self) -> str:
        """What it claims, in a sentence."""
        return (self.body.__doc__ or "").strip().partition("\n")[0]

    def matches(self, pattern: str) -> bool:
        """Whether a glob names it, or one of its rules."""
        return any(fnmatchcase(name, pattern) for name in (self.id, self.name, *self.rules))


_checks: dict[str, Check] = {}


def check(
    rule: str,
    *more: str,
    needs: Collection[Capability] = (),
    layer: Layer = Layer.EXAMPLE,
    level: Level = Level.SMOKE,
    requires: Iterable[str] = (),
) -> Callable[[Body], Body]:
    """Register a check.

    Args:
        rule: The number of the rule it proves.
        more: Further rules it proves.
        needs: Where the store does not declare these, the check does not apply; that they are then
            refused is what CAP-01 checks.
        layer: How it looks.
        level: The lowest level it is run at.
        requires: Names of `lab.count`: where one was never counted, the check has passed without
            meeting what it is about, and is reported as *not exercised*.

    Raises:
        ValueError: There is no such rule, or another check has the name.
    """
    rules = known(rule, *more)

    def register(body: Body) -> Body:
        if body.__name__ in _checks:
            msg = f"two checks are named {body.__name__}"
            raise ValueError(msg)
        _checks[body.__name__] = Check(
            body.__name__, rules, body, frozenset(needs), layer, Level(level), tuple(requires)
        )
        return body

    return register


def all_checks() -> list[Check]:
    """Every check, in the order of the rules."""
    package = importlib.import_module("conformance_tests.checks")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    layers = list(Layer)
    return sorted(_checks.values(), key=lambda it: (layers.index(it.layer), PLACES[it.rules[0]]))
