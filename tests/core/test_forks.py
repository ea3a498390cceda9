"""What is watched for forks: all of it is told in the child, and nothing of it is kept."""

from __future__ import annotations

import gc
import weakref

from mink_core import forks
from tests import forking

TOLD = """
from mink_core.forks import FORKS, watch

class Watched:
    told = 0

    def __init__(self):
        watch(self.is_forked)

    def is_forked(self):
        self.told += 1
        raise LookupError("of no concern to the others")

leave = os._exit
watched = [Watched() for _ in range(3)]

def expect(forks):
    assert FORKS.count == forks and [it.told for it in watched] == [forks] * 3

def child():
    expect(1)
    assert forked(lambda: expect(2)) == 0

assert forked(child) == 0
expect(0)
"""

KEYS = """
from mink_core.encryption import CachedSubjectKeys, MemorySubjectKeys
keys = MemorySubjectKeys()
cached = CachedSubjectKeys(keys)
cached.add("ann", b"key of Ann")

def child():
    assert cached.get("ann") == keys.get("ann") == b"key of Ann"
    cached.erase("ann")
    assert cached.get("ann") is keys.get("ann") is None

with keys._lock, cached._lock:  # as another thread may have them
    assert forked(child) == 0
assert cached.get("ann") == keys.get("ann") == b"key of Ann"
"""


def test_all_are_told_whatever_one_of_them_raises() -> None:
    forking.run(TOLD, says="of no concern to the others")


def test_keys_wait_for_no_thread_that_is_not_there() -> None:
    forking.run(KEYS)


def test_what_is_watched_is_not_kept() -> None:
    class Watched:
        def is_forked(self) -> None: ...

    before = set(forks._watched)
    one, gone = Watched(), Watched()
    forks.watch(one.is_forked)
    forks.watch(gone.is_forked)
    assert len(forks._watched.keys() - before) == 2
    last = weakref.ref(gone)
    del gone
    gc.collect()
    assert last() is None
    assert len(forks._watched.keys() - before) == 1
