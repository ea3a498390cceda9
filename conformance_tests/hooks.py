"""Hooks that an adapter may offer the kit: to hold commits open, to inject faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance_tests.target import Target


@dataclass(frozen=True)
class Hooks:
    """What was found for one namespace; None is what the adapter does not offer."""

    commit_gate: Any = None
    fault_injector: Any = None


def find_hooks(target: Target, namespace: str) -> Hooks:
    """The hooks for a namespace."""
    del target, namespace
    return Hooks()
