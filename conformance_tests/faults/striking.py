"""A store whose connections can be broken, a witness beside it, and calls that are made again."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from conformance_tests.expect import fail
from conformance_tests.shaped import Shaped
from mink_core import MinkError, OutcomeUnknownError, TransientStorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from uuid import UUID

    from conformance_tests.lab import Lab
    from mink_core import NewEvent, Store
    from mink_core.testing import Fault, FaultInjector

FAULTS = "connections broken by the fault injector"
ENDED = "sessions ended by the fault injector"

_RETRIES = 8
_PAUSE = 0.05


@dataclass(frozen=True)
class Bench:
    """What a fault check works with."""

    lab: Lab
    injector: FaultInjector
    store: Store
    """The store that meets the faults."""
    witness: Store
    """Another one on the same data that meets none."""

    def strike(self, fault: Fault, stream_id: str | None, call: Callable[[], Any]) -> Any:
        """Make a call that meets a fault; gives its result or its error."""
        before = self.injector.struck()
        self.injector.arm(fault, stream_id)
        outcome = attempt(call)
        if self.injector.struck() == before:
            fail("the adapter's fault injector", expected=f"it breaks the connection: {fault.value}", seen=outcome)
        self.lab.count(FAULTS)
        return outcome

    def stored(self, stream_id: str, events: list[NewEvent]) -> list[UUID]:
        """Which of these events the stream holds, in its order, each as often as it is stored."""
        ids = {event.event_id for event in events}
        return [event.event_id for event in self.witness.read_stream(stream_id) if event.event_id in ids]


@contextmanager
def bench(lab: Lab) -> Generator[Bench | None]:
    """The bench for a new namespace; None where the adapter offers no fault injector."""
    namespace = lab.namespace()
    witness = lab.open(namespace)
    injector = lab.hooks(namespace).fault_injector
    if injector is None:
        yield None
        return
    native = injector.open()
    with cast("Store", Shaped(native, lab.portal) if lab.is_async else native) as store:
        yield Bench(lab, injector, store, witness)


def attempt(call: Callable[[], Any]) -> Any:
    """The call's result, or the error of the contract that it raised."""
    try:
        return call()
    except MinkError as error:
        return error
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
        return fail(
            "what a call raises whose connection breaks",
            expected="an error of mink_core: TransientStorageError or OutcomeUnknownError",
            seen=f"{type(error).__module__}.{type(error).__qualname__}: {error}",
        )


def again(call: Callable[[], Any]) -> Any:
    """Make a call until it is no longer refused for the moment: its result, or what refused it in the end."""
    outcome: Any = None
    for number in range(_RETRIES):
        outcome = attempt(call)
        if not isinstance(outcome, (TransientStorageError, OutcomeUnknownError)):
            break
        time.sleep(_PAUSE * number)
    return outcome
