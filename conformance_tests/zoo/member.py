"""What a member of the zoo is, and where members are kept.

A member is a class with a docstring that says what is wrong with it:

    @breaks("APPEND-05")
    class AnyIsExact(Wrapped):
        \"\"\"ANY reads the version and expects it: racing callers conflict.\"\"\"
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from conformance_tests.rules import PLACES, known
from conformance_tests.zoo.wrapped import AsyncWrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mink_core import Capability

Kind = TypeVar("Kind", bound=type[Any])


@dataclass(frozen=True)
class Member:
    """A broken store."""

    name: str
    rules: tuple[str, ...]
    """The rules it breaks, the first being the one it stands for."""
    kind: Callable[..., Any]
    """Makes it of a sound store and what the handles of one namespace share."""
    needs: frozenset[Capability]
    """What the store inside must declare."""
    is_async: bool
    story: str
    """What is wrong with it, in a sentence."""
    hooks: frozenset[str] = frozenset()
    """What the store inside must offer of `mink_core.testing.ConformanceHooks`."""


_members: dict[str, Member] = {}


def breaks(
    rule: str, *more: str, needs: Collection[Capability] = (), hooks: Collection[str] = ()
) -> Callable[[Kind], Kind]:
    """Put a class into the zoo.

    Args:
        rule: The rule it stands for: a check of this rule must see it.
        more: Further rules that it breaks.
        needs: Capabilities that the store inside must have.
        hooks: What it must offer of `mink_core.testing.ConformanceHooks`.

    Raises:
        ValueError: There is no such rule, or the name is taken.
    """
    rules = known(rule, *more)

    def register(kind: Kind) -> Kind:
        if kind.__name__ in _members:
            msg = f"two members are named {kind.__name__}"
            raise ValueError(msg)
        story = (kind.__doc__ or "").strip().partition("\n")[0]
        is_async = issubclass(kind, AsyncWrapped)
        _members[kind.__name__] = Member(
            kind.__name__, rules, kind, frozenset(needs), is_async, story, frozenset(hooks)
        )
        return kind

    return register


def all_members() -> list[Member]:
    """Every member, in the order of the rules."""
    package = importlib.import_module("conformance_tests.zoo.members")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return sorted(_members.values(), key=lambda it: (PLACES[it.rules[0]], it.name))
