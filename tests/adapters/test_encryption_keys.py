"""Keys of encrypted fields: the first one wins, what is kept of them is forgotten in time, and what is erased stays so."""

from __future__ import annotations

import threading

import pytest

from mink_core import (
    SubjectErasedError,
)
from mink_core.encryption import CachedSubjectKeys, MemorySubjectKeys


def test_the_first_key_wins() -> None:
    keys, barrier, got = MemorySubjectKeys(), threading.Barrier(8), []

    def one(number: int) -> None:
        barrier.wait()
        got.append(keys.add("ann", bytes([number])))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert keys.get("ann") == got[0]


def test_cached_keys_are_forgotten_in_time() -> None:
    now = [0.0]
    place = MemorySubjectKeys()
    here = CachedSubjectKeys(place, seconds=10, most=2, clock=lambda: now[0])
    here.add("ann", b"1")
    place.erase("ann")  # by another process
    assert here.get("ann") == b"1"
    now[0] = 10.0
    assert here.get("ann") is None
    for number, name in enumerate(("bob", "cid", "dan")):
        here.add(name, bytes([number]))
    assert set(here._known) == {"cid", "dan"}
    assert here.get("bob") == b"\0"
    here.erase("bob")
    assert here.get("bob") is None
    with pytest.raises(SubjectErasedError):
        here.add("bob", b"2")


def test_a_key_that_was_fetched_while_it_was_erased_is_not_remembered() -> None:
    place = MemorySubjectKeys()
    place.add("ann", b"1")

    class Slow(MemorySubjectKeys):
        def get(self, subject: str) -> bytes | None:
            key = place.get(subject)
            here.erase(subject)  # another thread, between the fetch and the note
            return key

        def erase(self, subject: str) -> None:
            place.erase(subject)

    here = CachedSubjectKeys(Slow())
    assert here.get("ann") == b"1"
    assert here._known == {}
