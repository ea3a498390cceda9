"""Two ways to keep an append from committing once its positions are allocated.

By the adapter's commit gate a plain append is held; by `transaction()` one inside a transaction. A hold
ends at a step of the schedule that waits for nobody: where a store lets one writer wait for another,
the other simply has not returned yet.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from conformance_tests.expect import fail
from mink_core import Capability, ExpectedVersion, MinkError, StreamAppend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance_tests.lab import Lab
    from mink_core import AppendResult, EventLog, Store
    from mink_core.testing import CommitGate

HELD = "commits held open, by a gate or in a transaction"
HELD_BY_GATE = "commits held by the gate"
HELD_BY_TRANSACTION = "commits held by a transaction"
OVERTAKEN = "appends stored above a held one"

_REACHES = 2.0
"""Seconds within which an append allocates its positions, unless another one blocks it."""
_BLOCKED = 0.25
"""Seconds after which a second append is taken to wait for the held one."""
_ENDS = 20.0
_GLANCE = 0.002


class UndoneError(Exception):
    """Rolls a transaction back on purpose."""


class Started:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        """Start it."""
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="mink-conformance call")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 -- raised again by `result`
            self._error = error

    def ended(self, within: float = 0.0) -> bool:
        """Whether it has ended, or ends within so many seconds."""
        self._thread.join(within)
        return not self._thread.is_alive()

    def result(self) -> Any:
        """What it gave.

        Raises:
            TimeoutError: It does not end.
        """
        if not self.ended(_ENDS):
            msg = f"a call has not returned {_ENDS:g} s after every hold had ended"
            raise TimeoutError(msg)
        if self._error is not None:
            raise self._error
        return self._value


class Held(Protocol):
    """An append that is held."""

    stream_id: str
    allocated: bool
    """Whether it has its positions; else it is blocked by another one."""

    def end(self, *, commit: bool = True) -> AppendResult | None:
        """Let go. Gives the result, None where it was rolled back."""
        ...


class Way(Protocol):
    """One way to hold."""

    name: str
    can_roll_back: bool

    def hold(self, store: Store, item: StreamAppend) -> Held:
        """Begin an append, and come back once it has its positions."""
        ...


class _GateHeld:
    def __init__(self, gate: CommitGate, stream_id: str, call: Callable[[], Any]) -> None:
        self.stream_id = stream_id
        self._gate = gate
        gate.hold(stream_id)
        self._call = Started(call)
        self.allocated = _until(lambda: gate.held(stream_id) > 0 or self._call.ended(), _REACHES)
        if self._call.ended():
            gate.release(stream_id)
            result = self._call.result()
            fail(
                "the adapter's commit gate", expected=f"it holds the append to {stream_id}", seen=f"it let {result} by"
            )

    def end(self, *, commit: bool = True) -> AppendResult | None:
        del commit
        self._gate.release(self.stream_id)
        result: AppendResult = self._call.result()
        return result


class _GateWay:
    name = HELD_BY_GATE
    can_roll_back = False

    def __init__(self, gate: CommitGate) -> None:
        self._gate = gate

    def hold(self, store: Store, item: StreamAppend) -> Held:
        return _GateHeld(self._gate, item.stream_id, lambda: _append(store, item))


class _TransactionHeld:
    def __init__(self, store: Store, item: StreamAppend) -> None:
        self.stream_id = item.stream_id
        self._item = item
        self._there, self._go = threading.Event(), threading.Event()
        self._commit = True
        self._call = Started(lambda: self._run(store))
        self.allocated = _until(lambda: self._there.is_set() or self._call.ended(), _REACHES) and self._there.is_set()

    def _run(self, store: Store) -> AppendResult | None:
        result: AppendResult | None = None
        with suppress(UndoneError), store.transaction() as transaction:
            result = _append(transaction, self._item)
            self._there.set()
            self._go.wait(_ENDS)
            if not self._commit:
                raise UndoneError
        return result if self._commit else None

    def end(self, *, commit: bool = True) -> AppendResult | None:
        self._commit = commit
        self._go.set()
        result: AppendResult | None = self._call.result()
        return result


class _TransactionWay:
    name = HELD_BY_TRANSACTION
    can_roll_back = True

    def hold(self, store: Store, item: StreamAppend) -> Held:
        return _TransactionHeld(store, item)


def ways(lab: Lab, namespace: str) -> Iterator[Way]:
    """The ways that the adapter offers; each use of one is counted."""
    if Capability.TRANSACTIONS in lab.capabilities:
        yield _TransactionWay()
    gate = lab.hooks(namespace).commit_gate
    if gate is not None:
        yield _GateWay(gate)


def _append(log: EventLog, item: StreamAppend) -> AppendResult:
    return log.append(item.stream_id, item.events, expected_version=item.expected_version)


def hold(lab: Lab, way: Way, store: Store, item: StreamAppend) -> Held:
    """Hold an append, and count it."""
    held = way.hold(store, item)
    if held.allocated:
        lab.count(HELD)
        lab.count(way.name)
    return held


def meanwhile(lab: Lab, store: Store, stream_id: str) -> Started:
    """Append while another append is held: it has returned, or is taken to wait for that one."""
    item = StreamAppend(stream_id, lab.events(1), ExpectedVersion.ANY)
    started = Started(lambda: _append(store, item))
    if started.ended(_BLOCKED):
        with suppress(MinkError):
            started.result()
            lab.count(OVERTAKEN)
    return started


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_GLANCE)
    return True
