"""IDEM: a key is one caller's until it is completed, released or expired, and gives back what was stored."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, LeaseLostError

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

IDEMPOTENCY = [Capability.IDEMPOTENCY]


class _UndoneError(Exception):
    """Rolls a transaction back."""


def _sub_store(log: Any) -> Any:
    return log.idempotency


@check("IDEM-01", needs=IDEMPOTENCY)
def of_racing_callers_one_gets_the_key(lab: Lab) -> None:
    """Exactly one of callers that reserve a key at once has it; all others get its response when they wait."""
    handles = [lab.open() for _ in range(8)]

    def call(handle: Any, key: str) -> Any:
        reservation = _sub_store(handle).reserve(key, wait=10)
        if reservation.is_mine:
            return _sub_store(handle).complete(reservation, {"by": str(reservation.token)}), True
        return reservation.record, False

    for turn in range(5):
        results: list[Any] = lab.together([partial(call, handle, f"k-{turn}") for handle in handles])
        true(all(isinstance(it, tuple) for it in results), "how the callers ended", expected="answered", seen=results)
        equal(sum(mine for _, mine in results), 1, "how many had the key")
        for record, _ in results:
            equal((record.completed, record.response), (True, results[0][0].response), "the response that each got")


@check("IDEM-01", needs=IDEMPOTENCY)
def only_its_owner_completes_or_releases_a_key_and_only_in_time(lab: Lab) -> None:
    """An expired holder is refused, before and after the key is somebody else's."""
    keys = _sub_store(lab.open())
    late = keys.reserve("k", ttl=0.1)
    time.sleep(0.15)
    with raises(LeaseLostError, "complete after the reservation has expired"):
        keys.complete(late, 1)
    with raises(LeaseLostError, "release after the reservation has expired"):
        keys.release(late)
    mine = keys.reserve("k")
    true(mine.is_mine, "reserving an expired key")
    with raises(LeaseLostError, "complete of what is somebody else's by now"):
        keys.complete(late, 1)
    with raises(LeaseLostError, "release of what is somebody else's by now"):
        keys.release(late)
    equal(keys.get("k"), mine.record, "the key after that")
    keys.release(mine)
    equal((keys.get("k"), keys.reserve("k").is_mine), (None, True), "a released key")


@check("IDEM-02", needs=IDEMPOTENCY)
def every_field_comes_back(lab: Lab) -> None:
    """Stream id, metadata and the response, any JSON value, come back with their types."""
    store, other = lab.open(), lab.open()
    responses: list[Any] = [
        {"i": 1, "f": 1.0, "b": 1e16, "l": [None, True]},
        None,
        "text {",
        0,
        False,
        [],
        ["x" * 100_000, *range(5_000)],
    ]
    for number, response in enumerate(responses):
        mine = _sub_store(store).reserve(f"k-{number}", stream_id="order-1", metadata={"n": 1.0, "é": number})
        _sub_store(store).complete(mine, response)
        found = _sub_store(other).reserve(f"k-{number}").record
        equal((found.completed, found.response), (True, response), "the response")
        equal((found.stream_id, found.metadata), ("order-1", {"n": 1.0, "é": number}), "what was given at reserve")


@check("IDEM-03", needs=IDEMPOTENCY)
def an_expired_key_is_free_and_only_those_are_purged(lab: Lab) -> None:
    """After its time a completed key is free as well; `purge` takes what has expired and nothing else."""
    keys = _sub_store(lab.open())
    keys.complete(keys.reserve("kept"), 2)
    keys.reserve("held")
    for name in ("gone-1", "gone-2"):
        keys.reserve(name, ttl=0.1)
    expired = 2
    for ttl in (0.1, 1.0, 5.0):
        expired += 1
        keys.complete(keys.reserve(f"old-{expired}"), 1, ttl=ttl)
        before = keys.get(f"old-{expired}")
        # A slow store may take as long as that to answer: then again with more time.
        if before is not None:
            break
    equal(before and before.response, 1, "before its time")
    time.sleep(ttl * 1.5)
    equal(keys.get(f"old-{expired}"), None, "after its time")
    equal([it.key for it in keys.list()], ["held", "kept"], "the list, without what has expired")
    equal([it.key for it in keys.list(after="held", limit=1)], ["kept"], "the list after a key")
    purged = [keys.purge(limit=2) for _ in range(4)]
    equal(purged, [min(2, max(expired - 2 * n, 0)) for n in range(4)], "how many were purged")
    equal((keys.get("kept").response, keys.get("held").completed), (2, False), "the others")
    true(keys.reserve(f"old-{expired}").is_mine, "reserving it again")


@check("IDEM-01", "TX-01", needs=[Capability.IDEMPOTENCY, Capability.TRANSACTIONS])
def a_key_is_committed_with_its_transaction(lab: Lab) -> None:
    """A key reserved and completed in a transaction is free after its rollback, and stands after its commit."""
    store = lab.open()
    for commits in (False, True):
        try:
            with store.transaction() as tx:
                mine = _sub_store(tx).reserve("k")
                true(mine.is_mine, "reserving in the transaction")
                tx.append("order-1", lab.events(1), expected_version=0)
                _sub_store(tx).complete(mine, {"version": 1})
                if not commits:
                    raise _UndoneError  # noqa: TRY301 -- what is checked is the rollback
        except _UndoneError:
            equal(_sub_store(store).get("k"), None, "the key after the rollback")
    equal(_sub_store(store).get("k").response, {"version": 1}, "the key after the commit")


@check("IDEM-01", needs=IDEMPOTENCY)
def a_released_key_is_free(lab: Lab) -> None:
    """A key that its holder released is free at once; a foreign reservation releases nothing."""
    store = lab.open()
    first = _sub_store(store).reserve("key")
    _sub_store(store).release(first)
    second = _sub_store(store).reserve("key")
    mine = second.is_mine and second.token != first.token
    true(mine, "a released key", expected="free, with a new token", seen=second)
    with raises(LeaseLostError, "releasing with the old token"):
        _sub_store(store).release(first)
    true(not _sub_store(store).reserve("key").is_mine, "the key after that", expected="still held", seen="free")


@check("IDEM-01", "IDEM-02", needs=IDEMPOTENCY)
def a_completed_key_keeps_its_response(lab: Lab) -> None:
    """Once it is completed its owner neither releases it nor puts another response in; the same one again is a repeat."""
    keys = _sub_store(lab.open())
    mine = keys.reserve("k")
    done = keys.complete(mine, {"n": 1})
    equal(keys.complete(mine, {"n": 1}).response, {"n": 1}, "the same response again")
    for other in ({"n": 2}, {"n": 1.0}, {"n": True}):
        with raises(LeaseLostError, f"another response, {other}"):
            keys.complete(mine, other)
    with raises(LeaseLostError, "releasing what is completed"):
        keys.release(mine)
    found = keys.get("k")
    equal((found.response, found.completed), (done.response, True), "the key after that")
    true(not keys.reserve("k").is_mine, "reserving it", expected="answered with the response", seen="free")


@check("IDEM-03", "TX-01", needs=[Capability.IDEMPOTENCY, Capability.TRANSACTIONS])
def a_key_expires_also_while_a_transaction_is_open(lab: Lab) -> None:
    """Time goes on in a transaction: a key that expires after its beginning is free in it."""
    store, other = lab.open(), lab.open()
    _sub_store(other).reserve("k", ttl=0.1)
    with store.transaction() as tx:
        tx.append("order-1", lab.events(1), expected_version=0)
        time.sleep(0.15)
        true(_sub_store(tx).reserve("k").is_mine, "reserving a key that has expired by now")
