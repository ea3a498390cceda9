"""A sub-store around another one, and a store that has one."""

from __future__ import annotations

from typing import Any, ClassVar

from conformance_tests.zoo.wrapped import Wrapped


class Part:
    """A sub-store that hands on what it does not break."""

    def __init__(self, inner: Any, owner: Any) -> None:
        """Take the sub-store, and whose it is."""
        self.inner = inner
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        """As the inner one."""
        return getattr(self.inner, name)


class Around(Wrapped):
    """Has one sub-store of its own kind."""

    part: ClassVar[str]
    kind: ClassVar[type[Part]]

    def __getattr__(self, name: str) -> Any:
        """As the inner store, but for that."""
        found = getattr(self.store, name)
        return self.kind(found, self) if name == self.part else found
