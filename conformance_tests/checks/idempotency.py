"""IDEM: a key is one caller's at a time, and its response comes back."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.expect import equal, raises, true
from mink_core import Capability, LeaseLostError, Reservation

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

IDEMPOTENCY = {Capability.IDEMPOTENCY}
_SHORT = 0.2


@check("IDEM-01", needs=IDEMPOTENCY)
def one_caller_gets_the_key(lab: Lab) -> None:
    """Of eight callers that reserve a key at once one gets it; the others are told that somebody works on it."""
    handles = [lab.open() for _ in range(8)]
    for round_ in range(5):
        results: list[Any] = lab.together([partial(handle.idempotency.reserve, f"race-{round_}") for handle in handles])
        for result in results:
            true(isinstance(result, Reservation), "reserving in a race", expected="a Reservation", seen=repr(result))
        mine = [result for result in results if result.is_mine]
        equal(len(mine), 1, "how many callers got the key")
        handles[0].idempotency.complete(mine[0], {"round": round_})
        again = handles[-1].idempotency.reserve(f"race-{round_}")
        equal(
            (again.is_mine, again.record.completed, again.record.response),
            (False, True, {"round": round_}),
            "a late caller",
        )


@check("IDEM-01", needs=IDEMPOTENCY)
def a_reservation_expires_and_its_holder_is_fenced(lab: Lab) -> None:
    """An expired key is free for another, and its late holder can neither complete nor release it."""
    store, other = lab.open(), lab.open()
    late = store.idempotency.reserve("key", ttl=_SHORT)
    true(late.is_mine and not other.idempotency.reserve("key").is_mine, "a key that is held", expected="one holder")
    time.sleep(2 * _SHORT)
    equal(store.idempotency.get("key"), None, "a key that has expired")
    taken = other.idempotency.reserve("key")
    true(taken.is_mine, "a key that has expired", expected="free", seen=taken)
    for name, call in (
        ("complete", lambda: store.idempotency.complete(late, "late")),
        ("release", lambda: store.idempotency.release(late)),
    ):
        with raises(LeaseLostError, f"{name} by the late holder"):
            call()
    other.idempotency.complete(taken, "first")
    record = store.idempotency.get("key")
    equal(record and record.response, "first", "the response that is kept")


@check("IDEM-01", needs=IDEMPOTENCY)
def a_released_key_is_free(lab: Lab) -> None:
    """A key that its holder released is free at once; a foreign reservation releases nothing."""
    store = lab.open()
    first = store.idempotency.reserve("key")
    store.idempotency.release(first)
    second = store.idempotency.reserve("key")
    true(
        second.is_mine and second.token != first.token, "a released key", expected="free, with a new token", seen=second
    )
    with raises(LeaseLostError, "releasing with the old token"):
        store.idempotency.release(first)
    true(not store.idempotency.reserve("key").is_mine, "the key after that", expected="still held", seen="free")


@check("IDEM-02", "JSON-01", needs=IDEMPOTENCY)
def every_field_comes_back(lab: Lab) -> None:
    """The response, the metadata and the stream come back with their types, to the holder and to later callers."""
    store, other = lab.open(), lab.open()
    responses: tuple[Any, ...] = ({"n": [1, 1.0, True, None, 1e16]}, None, 0, False, "", [], {}, "text", 2**63 - 1)
    for number, response in enumerate(responses):
        key = f"key-{number}"
        metadata = {"n": 1.0, "list": [number]}
        mine = store.idempotency.reserve(key, stream_id=f"order-{number}", metadata=metadata)
        held = other.idempotency.get(key)
        equal(
            held and (held.completed, held.stream_id, held.metadata), (False, f"order-{number}", metadata), "a held key"
        )
        done = store.idempotency.complete(mine, response)
        for record in (done, other.idempotency.get(key), other.idempotency.reserve(key).record):
            true(record is not None, "the record of a completed key", expected="a record", seen=None)
            if record is not None:
                seen = (record.key, record.completed, record.response, record.stream_id, record.metadata)
                equal(seen, (key, True, response, f"order-{number}", metadata), "the record of a completed key")
    keys = [record.key for record in store.idempotency.list()]
    equal(keys, sorted(keys), "the keys listed")
    equal(store.idempotency.purge(), 0, "keys purged before any has expired")
