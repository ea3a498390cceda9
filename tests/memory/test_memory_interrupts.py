"""Ctrl-C in any line of a transition: all of it is done or nothing, the feed and the streams agree, and nothing is held."""

import gc
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import mink_memory
from mink_core import ExpectedVersion, NewEvent, OutboxMessage, StreamAppend
from mink_memory import MemoryEventStore
from tests.memory.memory_helpers import rolled_back

HERE = str(Path(mink_memory.__file__).parent)
ANY = ExpectedVersion.ANY


def made():
    return [NewEvent("Made", {})]


def in_transaction(store):
    with store.transaction() as transaction:
        for stream_id in ("a-1", "b-1"):
            transaction.append(stream_id, made(), expected_version=ANY)
        transaction.checkpoints.save("mail", 1, expected=None)


def beside_another(store):
    """The feed is held by another transaction, which ends afterwards."""
    with store.transaction() as other:
        other.append("c-1", made(), expected_version=0)
        in_transaction(store)
        store.append("d-1", made(), expected_version=0)


def caught_inside(store):
    with store.transaction() as transaction:
        with suppress(KeyboardInterrupt):
            transaction.append("a-1", made(), expected_version=ANY)
        with suppress(KeyboardInterrupt):
            transaction.append("b-1", made(), expected_version=ANY)


def dropping(store):
    """Keyed by ids, whose hashes are computed in Python."""
    store.snapshots.save("a-1", 1, {})
    store.append("a-1", made(), expected_version=ANY, outbox=OutboxMessage("mail", {}))
    for message in store.outbox.claim("me", limit=1):
        store.outbox.complete(message)
    store.snapshots.delete("a-1")


ACTS = {
    "append": lambda store: store.append("a-1", made(), expected_version=ANY),
    "append to a new stream": lambda store: store.append("b-1", made(), expected_version=0),
    "append_batch": lambda store: store.append_batch([StreamAppend(name, made(), ANY) for name in ("a-1", "b-1")]),
    "outbox": lambda store: store.append("a-1", made(), expected_version=1, outbox=OutboxMessage("mail", {})),
    "transaction": in_transaction,
    "beside another": beside_another,
    "caught inside": caught_inside,
    "dropping": dropping,
    "streams": lambda store: list(store.streams()),
}


def interrupted(act, store, moment):
    """Whether the act had so many moments: a signal is looked for where a function begins and ends."""
    left = [moment]

    def interrupt(frame, event, _):
        caller = frame if event.startswith("c_") else frame.f_back
        if event != "c_call" and caller.f_code.co_filename.startswith(HERE):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    gc.disable()  # what is collected, or told of it, meanwhile would be interrupted in its place
    sys.setprofile(interrupt)
    try:
        with suppress(KeyboardInterrupt):
            act(store)
    except Exception:
        if left[0] > 0:
            raise
    finally:
        sys.setprofile(None)
        gc.enable()
    return left[0] <= 0


def check(store):
    streams = [info.stream_id for info in store.streams()]
    assert len(streams) == len(set(streams))
    stored = [event for stream_id in streams for event in store.read_stream(stream_id)]
    feed = list(store.read_all())
    assert sorted(event.global_position for event in stored) == [event.global_position for event in feed]
    assert {event.event_id for event in stored} == {event.event_id for event in feed}
    locks = store._handle.log._locks
    assert (store.feed_status().holders, locks.owners, locks._queues) == ((), {}, {})


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("act", ACTS)
def test_all_is_done_or_nothing(act, unique):
    moment = 0
    while True:
        moment += 1
        store = MemoryEventStore(unique_event_ids=unique)
        store.append("a-1", made(), expected_version=0)
        was_interrupted = interrupted(ACTS[act], store, moment)
        check(store)
        count = len(list(store.read_all()))
        assert count in ({1, 3} if act in {"append_batch", "transaction"} else {1, 2, 3, 4, 5}), moment
        if act == "transaction":
            assert (store.checkpoints.load("mail") is not None) == (count == 3)
        last = store.append("a-1", made(), expected_version=ANY)
        assert [event.event_id for event in store.read_all()][-1] == last.event_ids[0]
        check(store)
        if not was_interrupted:
            break
    assert moment > 5


def test_what_is_dropped_in_a_transaction_is_there_after_its_rollback():
    store = MemoryEventStore()
    store.snapshots.save("a-1", 1, {"of": "the stream"})
    with rolled_back(store) as transaction:
        assert transaction.snapshots.delete("a-1") == 1
    assert store.snapshots.load("a-1").data == {"of": "the stream"}
    with store.transaction() as transaction:
        assert transaction.snapshots.delete("a-1") == 1
    assert store.snapshots.load("a-1") is None
    assert store._handle.log._tables.committed["snapshot"] == {}
