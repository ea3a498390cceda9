"""Hooks that an adapter may offer the kit: to hold commits open, to break connections, to lend connections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from mink_core.testing import GROUP

if TYPE_CHECKING:
    from contextlib import ExitStack

    from mink_core.testing import AsyncBinding, AsyncBorrowing, Binding, Borrowing, CommitGate, FaultInjector


@dataclass(frozen=True)
class Hooks:
    """What was found for one store; None is what the adapter does not offer. Made when first asked for."""

    offered: Any
    """An object as in `mink_core.testing.ConformanceHooks`, or None."""
    store: Any
    """A store of the namespace, in its own shape, initialized."""
    stack: ExitStack
    """Closes what is made."""

    @cached_property
    def commit_gate(self) -> CommitGate | None:
        """Holds commits open."""
        gate: CommitGate | None = self._made("commit_gate")
        if gate is not None:
            self.stack.callback(gate.close)
        return gate

    @cached_property
    def fault_injector(self) -> FaultInjector | None:
        """Breaks connections."""
        injector: FaultInjector | None = self._made("fault_injector")
        if injector is not None:
            self.stack.callback(injector.close)
        return injector

    @cached_property
    def borrowing(self) -> Borrowing | AsyncBorrowing | None:
        """Lends connections. Whoever uses it closes it."""
        found: Borrowing | AsyncBorrowing | None = self._made("borrowing")
        return found

    @cached_property
    def binding(self) -> Binding | AsyncBinding | None:
        """Binds a store to the caller's transaction. Whoever uses it closes it."""
        found: Binding | AsyncBinding | None = self._made("binding")
        return found

    def _made(self, name: str) -> Any:
        make = getattr(self.offered, name, None)
        return None if make is None else make(self.store)


def offered_by(store: Any) -> Any:
    """The hooks that a store's adapter offers: the store's own attribute, or an entry point of its package."""
    own = getattr(store, "conformance_hooks", None)
    if own is not None:
        return own
    for kind in type(store).__mro__:
        package = kind.__module__.partition(".")[0]
        for point in entry_points(group=GROUP, name=package):
            return point.load()
    return None
