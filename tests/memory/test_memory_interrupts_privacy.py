"""Ctrl-C in a privacy operation: all of it is done, with its record in the audit, or nothing."""

from contextlib import suppress

import pytest

from mink_core import ExpectedVersion, NewEvent, OutboxMessage
from mink_memory import MemoryEventStore
from tests.interrupts import interrupted
from tests.memory.memory_helpers import rolled_back

ANY = ExpectedVersion.ANY
WHO = {"by": "me", "reason": "asked for"}
ACTS = {
    "soft_delete": lambda privacy: privacy.soft_delete("a-1", **WHO),
    "tombstone": lambda privacy: privacy.tombstone("a-1", **WHO),
    "redact": lambda privacy: privacy.redact("a-1", 2, data={"name": "redacted"}, **WHO),
    "purge": lambda privacy: privacy.purge("a-1", up_to_version=2, **WHO),
}


def made_store(unique):
    store = MemoryEventStore(unique_event_ids=unique, privacy=True)
    for number in range(3):
        message = OutboxMessage("mail", {"to": "them"})
        store.append("a-1", [NewEvent("Made", {"name": number})], expected_version=number, outbox=message)
        store.append("b-1", [NewEvent("Made", {})], expected_version=number)
    store.snapshots.save("a-1", 3, {"name": "theirs"})
    return store


def seen(store):
    """What an operation takes away: each alone tells whether it was done."""
    log = store._handle.log
    return (
        [(event.stream_id, event.version, event.data) for event in store.read_all()],
        [(event.version, event.data) for event in store.read_stream("a-1")],
        len(log._streams.rows["a-1"]) - len([row for row in log._streams.rows["a-1"] if row.data]),
        log._feed.has_holes,
        log._streams.states.get("a-1") and log._streams.states["a-1"].tombstoned,
        store.snapshots.load("a-1") is None,
        [message.stream_id for message in store.outbox.list()],
        [record.operation for record in store.privacy.audit()],
    )


def waiting(store):
    """As after waiting for a transaction that had locked the stream: in one of its own."""
    store._handle.log.change = lambda *_: None
    return store


@pytest.mark.parametrize("begin", [lambda store: store, waiting], ids=["at once", "after waiting"])
@pytest.mark.parametrize("unique", [False, True], ids=["", "unique"])
@pytest.mark.parametrize("operation", ACTS)
def test_all_is_done_or_nothing(operation, unique, begin):
    before, done = seen(made_store(unique)), made_store(unique)
    ACTS[operation](done.privacy)
    after = seen(done)
    moment, kinds = 0, []
    while True:
        moment += 1
        store = made_store(unique)
        privacy = begin(store).privacy
        was_interrupted = interrupted(lambda: ACTS[operation](privacy), moment)  # noqa: B023 -- called here
        vars(store._handle.log).pop("change", None)
        found = seen(store)
        assert found in (before, after), moment
        kinds.append(found == after)
        locks = store._handle.log._locks
        assert (store.feed_status().holders, locks.owners, locks._queues) == ((), {}, {})
        with suppress(Exception):  # it may have been done
            ACTS[operation](store.privacy)
        assert seen(store)[:-1] == after[:-1]
        if unique:
            log = store._handle.log
            assert log._streams.ids == {row.event_id: row for row in log._feed.settled if row.data}
        if not was_interrupted:
            break
    assert kinds == sorted(kinds)
    assert set(kinds) == {False, True}


@pytest.mark.parametrize("unique", [False, True])
def test_what_waits_behind_an_open_transaction_is_rewritten_too(unique):
    store = MemoryEventStore(unique_event_ids=unique, privacy=True)
    store.append("a-1", [NewEvent("Made", {"name": 1})], expected_version=0)
    with store.transaction() as other:
        other.append("b-1", [NewEvent("Made", {})], expected_version=0)
        given = [
            store.append("a-1", [NewEvent("Made", {"name": n})], expected_version=n - 1).event_ids[0] for n in (2, 3)
        ]
        store.privacy.redact("a-1", 2, data={"name": "redacted"}, **WHO)
        store.privacy.purge("a-1", up_to_version=1, **WHO)
    assert [(event.stream_id, event.data) for event in store.read_all()] == [
        ("b-1", {}),
        ("a-1", {"name": "redacted"}),
        ("a-1", {"name": 3}),
    ]
    assert [event.event_id for event in store.read_stream("a-1")] == given


def test_a_stream_that_is_being_purged_is_locked_until_that_has_ended():
    """The operation that waited ends with its transaction; until then nobody may write to the stream."""
    store = made_store(unique=False)
    log, handle = store._handle.log, store._handle
    found = []
    commit = handle.commit

    def looking(transaction):
        found.extend(key for key in log._locks.owners if isinstance(key, str))
        found.append(len(list(store.read_stream("a-1"))))
        commit(transaction)

    handle.commit = looking
    ACTS["purge"](waiting(store).privacy)
    assert found == ["a-1", 3]
    assert len(list(store.read_stream("a-1"))) == 1
    assert log._locks.owners == {}


def test_an_event_id_may_be_used_again_once_its_event_is_purged():
    store = MemoryEventStore(unique_event_ids=True, privacy=True)
    event = NewEvent("Made", {"name": 1})
    store.append("a-1", [event], expected_version=0)
    sweep, log = type(store._handle.log._streams).sweep, store._handle.log
    store.privacy.purge("a-1", **WHO)
    assert log._streams.ids == log._streams.purged == {}
    store.append("b-1", [event], expected_version=0)
    with rolled_back(store) as transaction:
        transaction.append("c-1", [NewEvent("Made", {})], expected_version=0)
    sweep(log._streams)
    assert [row.stream_id for row in log._streams.ids.values()] == ["b-1"]
