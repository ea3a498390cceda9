"""A member put around the stores of a sound target."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

from conformance_tests.target import Target
from conformance_tests.zoo.wrapped import Shared

if TYPE_CHECKING:
    from types import TracebackType

    from conformance_tests.zoo.member import Member


class _Caged(Target):
    """Opens what the base opens, each wrapped."""

    def __init__(self, member: Member, base: Target) -> None:
        super().__init__(f"{member.name} on {base.name}", self._open)
        self._member = member
        self._base = base
        self._shared: dict[str, Shared] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        self._base.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.__exit__(kind, error, trace)

    def _open(self, namespace: str) -> Any:
        with self._guard:
            shared = self._shared.setdefault(namespace, Shared())
        return self._member.kind(self._base.open(namespace), shared)

    def drop(self, namespace: str) -> None:
        with self._guard:
            self._shared.pop(namespace, None)
        self._base.drop(namespace)


def caged(member: Member, base: Target) -> Target:
    """The target whose stores are this member, around those of `base`."""
    return _Caged(member, base)
