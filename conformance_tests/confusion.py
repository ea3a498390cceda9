"""Targets that open something else than they should: every check would fail, and none could say why."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from conformance_tests.lab import Lab
from conformance_tests.target import is_async_store
from mink_core import UsageError

if TYPE_CHECKING:
    from conformance_tests.target import Target

_ENOUGH = 5.0
"""Seconds: what hangs or is slow is for the checks to say."""


def refuse_confusion(target: Target) -> None:
    """Look whether an entered target's namespaces and handles are what they should be.

    Raises:
        UsageError: It gives one store twice, one namespace's events in another, or stores that share nothing.
    """
    found: list[str] = []

    def work() -> None:
        # What is wrong with the store itself, one that ends the program included, is for the checks to say.
        with suppress(BaseException), Lab(target) as lab:
            found.append(_one_store_twice(lab) or _wrong_data(lab))

    thread = threading.Thread(target=work, name="looking at the target's handles", daemon=True)
    thread.start()
    thread.join(_ENOUGH)
    if found and found[0]:
        msg = f"the target {target.name} gave {found[0]}"
        raise UsageError(msg)


def _one_store_twice(lab: Lab) -> str:
    one, other = (lab.target.open(lab.here) for _ in range(2))
    for native in {id(it): it for it in (one, other)}.values():
        if is_async_store(native):
            lab.run(native.close())
        else:
            native.close()
    return "one store twice: each call must give a handle of its own, which is closed by itself" if one is other else ""


def _wrong_data(lab: Lab) -> str:
    one, other, elsewhere = lab.open(), lab.open(), lab.open(lab.namespace())
    one.append("kit-1", [lab.event()], expected_version=0)
    here, there, far = (len(list(store.read_stream("kit-1"))) for store in (one, other, elsewhere))
    if far:
        return "the events of one namespace in another: each must be data of its own"
    if here and not there and one.identity() != other.identity():
        return "two stores that share nothing for one namespace: they must be two handles on the same data"
    return ""
