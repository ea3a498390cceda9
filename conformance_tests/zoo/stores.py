"""Each member as a target of the command line, around `memory://`.

python -m conformance_tests conformance_tests.zoo.stores:ReadThenWrite
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from conformance_tests.target import target_of
from conformance_tests.zoo.cage import caged
from conformance_tests.zoo.matrix import BASE
from conformance_tests.zoo.member import all_members

if TYPE_CHECKING:
    from conformance_tests.target import Opener


class _Opening:
    """Opens a member's stores; entered when it is asked for, and left at the end of the process."""

    def __init__(self, name: str) -> None:
        member = next(member for member in all_members() if member.name == name)
        self._target = caged(member, target_of(BASE, door="async" if member.is_async else "sync"))
        self._target.__enter__()
        atexit.register(self._target.__exit__, None, None, None)

    def __call__(self, namespace: str) -> Any:
        return self._target.open(namespace)

    def drop(self, namespace: str) -> None:
        self._target.drop(namespace)


def __getattr__(name: str) -> Opener:
    """The opener of the member with this name.

    Raises:
        AttributeError: There is no such member.
    """
    if all(member.name != name for member in all_members()):
        msg = f"the zoo has no {name}"
        raise AttributeError(msg)
    return _Opening(name)
