"""What a forked process inherits of its parent: a copy of every store, but none of the threads, and the same connections.

Two processes that use one connection read each other's answers, and what a missing thread has to do is never done. So each
object that cannot be used on both sides is told, in the child, before anything else runs there. Nothing is asked at a call.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import MethodType

INHERITED = (
    "this process was forked from the one that opened the store, whose connections and threads are the parent's; "
    "nothing was sent: open a store in this process"
)
"""What is told of a store that is the parent's."""


class Forks:
    """How many forks lie between the process that was started and this one."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        """None yet."""
        self.count = 0


FORKS = Forks()

# By object the function to call with it. Not WeakMethod: one complains as the interpreter ends.
_watched: dict[ref[object], Callable[[object], None]] = {}


def _forget(gone: ref[object], watched: dict[ref[object], Callable[[object], None]] = _watched) -> None:
    watched.pop(gone, None)


def watch(inherited: Callable[[], None]) -> None:
    """Have a method called in every process that is forked from this one, for as long as its object lives.

    It runs where no other thread is, with every lock as it was at the fork: it must neither take one that is not its own, nor wait.
    """
    method = cast("MethodType", inherited)
    _watched[ref(method.__self__, _forget)] = method.__func__


def _in_child() -> None:
    FORKS.count += 1
    with ExitStack() as all_of_them:  # whatever one of them raises
        for watched, inherited in list(_watched.items()):
            if (alive := watched()) is not None:
                all_of_them.callback(inherited, alive)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
