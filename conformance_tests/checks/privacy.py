"""PRIV: soft delete, tombstone, redaction and purge, where the target's stores are opened with them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.check import check
from conformance_tests.checks.records import expect_times
from conformance_tests.expect import equal, raises, true
from conformance_tests.looking import paged, versions
from mink_core import (
    Capability,
    ConcurrencyError,
    Direction,
    ExpectedVersion,
    NewEvent,
    PrivacyOperation,
    StreamAppend,
    StreamNotFoundError,
    StreamTombstonedError,
)

if TYPE_CHECKING:
    from conformance_tests.lab import Lab

PRIVACY = [Capability.PRIVACY]
ANY, NO_STREAM, EXISTS = ExpectedVersion.ANY, ExpectedVersion.NO_STREAM, ExpectedVersion.STREAM_EXISTS


def _sub_store(log: Any) -> Any:
    return log.privacy


@check("PRIV-01", needs=PRIVACY)
def a_soft_deleted_stream_reads_as_missing(lab: Lab) -> None:
    """It is empty to readers and missing to appends, says `deleted_at`, stays in the feed, and goes on at n+1."""
    store, other = lab.open(), lab.open()
    for name, expected in (("a-1", NO_STREAM), ("b-1", ANY)):
        store.append(name, lab.events(3), expected_version=0)
        _sub_store(store).soft_delete(name, by="kit")
        equal(versions(other, name), [], "the versions that are read")
        if Capability.BACKWARDS in lab.capabilities:
            backward = list(other.read_stream(name, direction=Direction.BACKWARD))
            equal(backward, [], "what is read of it backward")
        true(other.stream_info(name).deleted_at is not None, "deleted_at", expected="a time", seen=None)
        listed = {it.stream_id: it.deleted_at for it in other.streams()}
        equal(listed.get(name), other.stream_info(name).deleted_at, "deleted_at by streams()")
        with raises(StreamNotFoundError, "deleting what is deleted already"):
            _sub_store(other).soft_delete(name, by="kit")
        for wrong in (EXISTS, 3, 1, 7):
            with raises(ConcurrencyError, f"an append to it, expecting {wrong}", actual=0):
                other.append(name, lab.events(1), expected_version=wrong)
        result = other.append(name, lab.events(2), expected_version=expected)
        equal((result.first_version, result.last_version), (4, 5), "where it goes on")
        equal(versions(store, name), [4, 5], "the versions that are read then")
        equal(store.stream_info(name).deleted_at, None, "deleted_at then")
    equal(len(list(store.read_all())), 10, "events in the feed")
    with raises(StreamNotFoundError, "deleting what is missing"):
        _sub_store(store).soft_delete("none-1", by="kit")


@check("PRIV-02", needs=PRIVACY)
def a_tombstoned_stream_refuses_every_append(lab: Lab) -> None:
    """Under every expectation, from every handle, repeats included; also where no stream was."""
    store = lab.open()
    events = lab.events(2)
    store.append("a-1", events, expected_version=0)
    for name in ("a-1", "new-1"):
        _sub_store(store).tombstone(name, by="kit")
        for handle in (store, lab.open()):
            for expected in (ANY, NO_STREAM, EXISTS, 1, 2):
                with raises(StreamTombstonedError, f"an append expecting {expected}", stream_id=name):
                    handle.append(name, lab.events(1), expected_version=expected)
    with raises(StreamTombstonedError, "a repeated append", stream_id="a-1"):
        store.append("a-1", events, expected_version=0)
    if Capability.APPEND_BATCH in lab.capabilities:
        batch = [StreamAppend(name, lab.events(1), ANY) for name in ("b-1", "a-1")]
        with raises(StreamTombstonedError, "a batch, the second item of which is to it", stream_id="a-1"):
            store.append_batch(batch)
    equal(versions(store, "a-1"), [1, 2], "what it holds is read as before")
    equal(len(list(store.read_all())), 2, "events in the feed")


@check("PRIV-02", needs=PRIVACY)
def a_tombstone_outlives_what_is_erased(lab: Lab) -> None:
    """A stream that was closed stays so after its events were redacted, deleted and purged."""
    store = lab.open()
    privacy = _sub_store(store)
    store.append("a-1", lab.events(3), expected_version=0)
    privacy.tombstone("a-1", by="kit")
    for what, erase in (
        ("a redaction", partial(privacy.redact, "a-1", 2)),
        ("a soft delete", partial(privacy.soft_delete, "a-1")),
        ("a purge of a part", partial(privacy.purge, "a-1", up_to_version=1)),
        ("a purge", partial(privacy.purge, "a-1")),
    ):
        erase(by="kit")
        for expected in (ANY, NO_STREAM, 3):
            with raises(StreamTombstonedError, f"an append expecting {expected}, after {what}", stream_id="a-1"):
                lab.open().append("a-1", lab.events(1), expected_version=expected)


@check("PRIV-03", "FEED-01", needs=PRIVACY)
def a_redacted_event_keeps_its_place(lab: Lab) -> None:
    """Only data and metadata change, at once; a reader skips nothing and gets nothing twice, in and out of its way."""
    store = lab.open()
    for number in range(1, 13):
        store.append(f"a-{number % 3}", [NewEvent("Made", {"n": number}, {"m": 1})], expected_version=ANY)
    before = list(store.read_all())
    page = store.poll(0, limit=5)
    for stream, version in (("a-1", 1), ("a-2", 4)):
        _sub_store(lab.open()).redact(stream, version, data={"n": None}, by="kit")
    rest = paged(store, page.next_position, 100)
    seen = [event.global_position for event in [*page.events, *rest]]
    equal(seen, [event.global_position for event in before], "the positions that a reader got")
    for old, new in zip(before, store.read_all(), strict=True):
        changed = (old.stream_id, old.version) in {("a-1", 1), ("a-2", 4)}
        equal((new.data, new.metadata), ({"n": None}, {}) if changed else (old.data, old.metadata), "its content")
        for name in ("event_id", "event_type", "version", "global_position", "timestamp"):
            equal(getattr(new, name), getattr(old, name), f"its {name}")


@check("PRIV-04", needs=PRIVACY)
def a_purge_leaves_holes_and_gives_no_version_twice(lab: Lab) -> None:
    """Events go for good, the stream's version stays, and its positions are holes that delay nobody."""
    store = lab.open()
    store.append("a-1", lab.events(3), expected_version=0)
    store.append("b-1", lab.events(1), expected_version=0)
    _sub_store(store).purge("a-1", up_to_version=2, by="kit")
    equal(versions(store, "a-1"), [3], "what is left of it")
    equal([(it.stream_id, it.version) for it in store.read_all()], [("a-1", 3), ("b-1", 1)], "what is in the feed")
    _sub_store(store).purge("a-1", by="kit")
    equal(store.stream_info("a-1").version, 3, "its version")
    equal(store.append("a-1", lab.events(1), expected_version=3).first_version, 4, "where it goes on")
    equal([(it.stream_id, it.version) for it in paged(store, 0, 100)], [("b-1", 1), ("a-1", 4)], "the feed in the end")
    records = _sub_store(store).audit()
    equal([record.version for record in records], [2, 3], "what the audit says")
    equal(_sub_store(store).audit(limit=1), records[:1], "the audit, of one record")
    equal(_sub_store(store).audit(after=records[0].number), records[1:], "the audit after the first record")
    equal(_sub_store(store).audit(stream_id="b-1"), [], "the audit of another stream")
    done = _sub_store(store).purge("b-1", by="kit")
    equal(_sub_store(store).audit(stream_id="b-1", limit=1), [done], "the audit of another stream, of one record")
    equal(_sub_store(store).purge("b-1", by="kit").counts.get("events"), 0, "how many events a second purge counts")


@check("PRIV-03", "PRIV-04", needs=PRIVACY)
def a_privacy_operation_tells_what_it_did(lab: Lab) -> None:
    """What is given stands in place of what was redacted; each record has who, why, when and how much; what is not there is told."""
    store = lab.open()
    privacy = _sub_store(store)
    store.append("a-1", [NewEvent("Made", {"n": 1}, {"who": "Ann"}) for _ in range(3)], expected_version=0)
    done = [privacy.redact("a-1", 2, data=[1.0, None], metadata={"who": "\u00e9", "f": 1.0}, by="kit", reason="asked")]
    seen = [(event.data, event.metadata) for event in store.read_stream("a-1")]
    before = ({"n": 1}, {"who": "Ann"})
    equal(seen, [before, ([1.0, None], {"who": "\u00e9", "f": 1.0}), before], "the events after a redaction")
    for version in (4, 10**9):
        with raises(StreamNotFoundError, f"redacting version {version} of 3"):
            privacy.redact("a-1", version, by="kit")
    with raises(StreamNotFoundError, "redacting an event of a missing stream"):
        privacy.redact("none-1", 1, by="kit")
    with raises(StreamNotFoundError, "purging a missing stream"):
        privacy.purge("none-1", by="kit")
    done.append(privacy.purge("a-1", up_to_version=2, by="kit", reason="asked"))
    equal(done[-1].counts.get("events"), 2, "how many events a purge counts")
    equal(list(privacy.audit()), done, "the audit")
    told = [(it.operation, it.stream_id, it.version, it.by, it.reason) for it in done]
    wanted = [(PrivacyOperation.REDACT, "a-1", 2, "kit", "asked"), (PrivacyOperation.PURGE, "a-1", 2, "kit", "asked")]
    equal(told, wanted, "what the records say")
    expect_times("a privacy record", *(it.done_at for it in done))
