"""Appends that wait for a locked stream: what they are told (TX-04), and what they must not hide (FEED-01)."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from conformance_tests.check import Layer, check
from conformance_tests.checks.transactions import TRANSACTIONS, UndoError
from conformance_tests.expect import equal, fail, true
from conformance_tests.interleavings.holding import HELD_BY_TRANSACTION, hold, meanwhile, ways
from conformance_tests.interleavings.readers import Polling, Whole
from conformance_tests.level import Level
from conformance_tests.looking import versions
from mink_core import (
    AppendResult,
    ConcurrencyError,
    ExpectedVersion,
    MinkError,
    StreamAppend,
    TransientStorageError,
)

if TYPE_CHECKING:
    from conformance_tests.interleavings.readers import Reader
    from conformance_tests.lab import Lab

ANY = ExpectedVersion.ANY
WAITED = "appends that waited for a held one"
_PATIENCE = 20.0
_LONGEST_LOCK_TIMEOUT = 60.0


@check("TX-04", "APPEND-05", "APPEND-03", needs=TRANSACTIONS)
def an_append_waits_for_a_locked_stream(lab: Lab) -> None:
    """An append to a stream that an open transaction has written waits for its end, and is judged by what is then."""
    store, other = lab.open(), lab.open()
    store.append("a-1", lab.events(1), expected_version=0)
    for undo in (False, True):
        version = store.stream_info("a-1").version
        results: dict[str, Any] = {}

        def attempt(name: str, expected: Any, results: dict[str, Any] = results) -> None:
            try:
                results[name] = other.append("a-1", lab.events(1), expected_version=expected)
            except MinkError as error:
                results[name] = error

        exact = threading.Thread(target=attempt, args=("exact", version), daemon=True)
        with suppress(UndoError), store.transaction() as transaction:
            transaction.append("a-1", lab.events(2), expected_version=version)
            exact.start()
            time.sleep(0.15)
            equal(results, {}, "the outcome of an append while its stream is locked")
            if undo:
                raise UndoError
        exact.join(_PATIENCE)
        outcome = results.get("exact")
        if undo:
            true(
                isinstance(outcome, AppendResult),
                "an append after a rollback",
                expected="it is stored",
                seen=repr(outcome),
            )
            equal(versions(store, "a-1"), list(range(1, version + 2)), "the versions after the rollback")
        else:
            true(
                isinstance(outcome, ConcurrencyError),
                "an exact append after a commit",
                expected="a conflict",
                seen=repr(outcome),
            )
            equal(getattr(outcome, "actual", None), version + 2, "the actual version that the waiting append was told")
            attempt("any", ANY)
            true(
                isinstance(results["any"], AppendResult),
                "ANY after a commit",
                expected="it is stored",
                seen=results["any"],
            )


@check("TX-04", level=Level.STANDARD, needs=TRANSACTIONS)
def waiting_for_a_lock_ends(lab: Lab) -> None:
    """Waiting for a locked stream ends in TransientStorageError after the lock time-out, with nothing stored."""
    store, other = lab.open(), lab.open()
    store.append("a-1", lab.events(1), expected_version=0)
    outcome: list[object] = []

    def attempt() -> None:
        try:
            outcome.append(other.append("a-1", lab.events(1), expected_version=1))
        except Exception as error:  # noqa: BLE001 -- judged below
            outcome.append(error)

    with store.transaction() as transaction:
        transaction.append("a-1", lab.events(1), expected_version=1)
        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(_LONGEST_LOCK_TIMEOUT)
        if thread.is_alive():
            fail(
                "waiting for a locked stream",
                expected=f"an end within {_LONGEST_LOCK_TIMEOUT:.0f} s",
                seen="it waits on",
            )
    true(
        isinstance(outcome[0], TransientStorageError),
        "the end of the wait",
        expected="TransientStorageError",
        seen=repr(outcome[0]),
    )
    equal(versions(store, "a-1"), [1, 2], "the versions after the wait")
    equal(other.append("a-1", lab.events(1), expected_version=2).last_version, 3, "the version after another try")


@check("FEED-01", "FEED-06", layer=Layer.INTERLEAVING)
def an_append_that_waited_hides_no_older_one(lab: Lab) -> None:
    """An append that began early, waited for its stream and commits above one still open makes no reader skip that."""
    namespace = lab.namespace()
    for way in ways(lab, namespace):
        used = lab.namespace() if way.name == HELD_BY_TRANSACTION else namespace
        free, first, second, third = (lab.open(used) for _ in range(4))
        readers: list[Reader] = [Polling(free, "FEED-01"), Polling(free, "FEED-01", limit=1), Whole(free, "FEED-01")]
        for stream in ("locked-1", "other-1"):
            free.append(stream, lab.events(1), expected_version=0)
        in_the_way = hold(lab, way, first, StreamAppend("locked-1", lab.events(1), ANY))
        waiting = meanwhile(lab, second, "locked-1")
        if not waiting.ended():
            lab.count(WAITED)
        still_open = hold(lab, way, third, StreamAppend("other-1", lab.events(1), ANY))
        in_the_way.end()
        waiting.ended(within=2.0)
        for reader in readers:
            reader.step()
        still_open.end()
        waiting.result()
        stored = [event for info in free.streams() for event in free.read_stream(info.stream_id)]
        stored.sort(key=lambda event: event.global_position)
        for reader in readers:
            reader.finish(stored)
