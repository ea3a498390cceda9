"""Ctrl-C in an idempotent call: no key is left reserved that nobody can complete."""

from mink_core import idempotent
from mink_memory import MemoryEventStore
from tests.interrupts import interrupted


def test_ctrl_c_at_any_moment_leaves_no_key_reserved():
    moment = 0
    while True:
        moment += 1
        with MemoryEventStore() as store:
            work = idempotent(store, key=lambda: "k")(lambda: 1)
            was_interrupted = interrupted(work, moment)
            record = store.idempotency.get("k")
            assert record is None or record.completed, moment
        if not was_interrupted:
            break
    assert moment > 20
