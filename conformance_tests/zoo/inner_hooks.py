"""The inner store's hooks, for a store around it: gates hold the inner one's commits, faulty stores are wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance_tests.hooks import offered_by

if TYPE_CHECKING:
    from collections.abc import Callable


def hooks_of(wrapped: Any) -> Any:
    """What the adapter inside offers, as of this store; None where that is nothing."""
    offered = offered_by(wrapped.store)
    return None if offered is None else _Hooks(offered)


class _Hooks:
    def __init__(self, offered: Any) -> None:
        self._offered = offered

    def commit_gate(self, wrapped: Any) -> Any:
        return self._made("commit_gate", wrapped)

    def fault_injector(self, wrapped: Any) -> Any:
        injector = self._made("fault_injector", wrapped)
        return None if injector is None else _Opening(injector, lambda store: type(wrapped)(store, wrapped.shared))

    def borrowing(self, wrapped: Any) -> Any:
        lender = self._made("borrowing", wrapped)
        wrapped.shared.facts["lender"] = lender
        return None if lender is None else _Opening(lender, lambda store: type(wrapped)(store, wrapped.shared))

    def _made(self, name: str, wrapped: Any) -> Any:
        make = getattr(self._offered, name, None)
        return None if make is None else make(wrapped.store)


class _Opening:
    """An injector whose stores are wrapped as well."""

    def __init__(self, injector: Any, wrap: Callable[[Any], Any]) -> None:
        self._injector = injector
        self._wrap = wrap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._injector, name)

    def open(self) -> Any:
        return self._wrap(self._injector.open())
