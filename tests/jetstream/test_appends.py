"""What the conformance kit cannot see of an append: what is remembered, the server's refusals, limits."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import msgspec
import nats
import pytest

from mink_core import (
    ConcurrencyError,
    DuplicateEventError,
    ExpectedVersion,
    NewEvent,
    StoredEvent,
    StreamAppend,
    TransientStorageError,
    UsageError,
    open_store,
)
from mink_core.registry import open_administration
from mink_jetstream import JetStreamEventStore
from mink_jetstream.answers import RefusedError
from mink_jetstream.connection import Connection
from mink_jetstream.jetstream import WRONG_SEQUENCE_NOW, JetStream
from tests.adapters.moving import event
from tests.jetstream.made import events
from tests.jetstream.pretended import pretend_copies

ANY = ExpectedVersion.ANY


def versions(store: JetStreamEventStore, stream_id: str) -> list[int]:
    return [event.version for event in store.read_stream(stream_id)]


def test_a_conflict_tells_the_true_version_to_a_store_that_remembers_an_older_one(store, url):
    store.append("order-1", events(), expected_version=0)
    with JetStreamEventStore(url) as other:
        other.append("order-1", events(2), expected_version=1)
        with pytest.raises(ConcurrencyError) as told:
            store.append("order-1", events(), expected_version=1)
        assert told.value.actual == 3
        assert store.append("order-1", events(), expected_version=ANY).first_version == 4
        other.append("order-1", events(), expected_version=4)
    assert store.append("order-1", events(), expected_version=5).first_version == 6
    assert versions(store, "order-1") == list(range(1, 7))


def test_a_repeat_is_recognized_however_late(store, url):
    """Not by Nats-Msg-Id, whose window passes: the server never gets one, so any repeat is beyond it."""
    first = events(2)
    result = store.append("order-1", first, expected_version=0)
    store.append("order-1", events(5), expected_version=2)
    with JetStreamEventStore(url) as fresh:
        assert fresh.append("order-1", first, expected_version=0) == result
        with pytest.raises(ConcurrencyError):
            fresh.append("order-1", events(2), expected_version=0)
    # And as no id is kept for the whole log, the same one in another stream is another event.
    assert store.append("order-2", first, expected_version=0).first_version == 1
    assert store.head_position() == 9

    async def ids() -> list[object]:
        client = await nats.connect(url.rpartition("/")[0])
        info = json.loads((await client.request(f"$JS.API.STREAM.INFO.MINK_{store.options.store}")).data)
        found = []
        for number in range(1, info["state"]["last_seq"] + 1):
            payload = json.dumps({"seq": number}).encode()
            reply = await client.request(f"$JS.API.DIRECT.GET.MINK_{store.options.store}", payload)
            found.append(reply.headers.get("Nats-Msg-Id"))
        await client.close()
        return found

    assert asyncio.run(ids()) == [None] * 9


def test_a_refusal_while_another_append_is_decided_on_is_no_conflict(store, monkeypatch):
    """With copies, the server refuses an expectation that may be right, and the leader has the old version yet."""
    store.append("order-1", events(), expected_version=0)
    write, refused = JetStream.write, Counter()

    async def refusing(self, requests, *limits):
        if refused["times"] < 3:
            refused["times"] += 1
            raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")
        return await write(self, requests, *limits)

    monkeypatch.setattr(JetStream, "write", refusing)
    assert store.append("order-1", events(), expected_version=1).first_version == 2
    assert refused["times"] == 3


@pytest.mark.parametrize("expected", [ANY, 1])
def test_what_one_server_refuses_and_another_stores_is_stored_once(store, monkeypatch, expected):
    """In the second after a partition two servers lead: a publish reaches both, and the first reply wins."""
    pretend_copies(monkeypatch)
    store.append("order-1", events(), expected_version=0)
    write, lied = JetStream.write, []

    async def two(self, requests, *limits):
        last = await write(self, requests, *limits)
        if not lied:
            lied.append(last)
            raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")
        return last

    monkeypatch.setattr(JetStream, "write", two)
    result = store.append("order-1", events(2), expected_version=expected)
    assert (result.first_version, result.last_position) == (2, lied[0])
    assert versions(store, "order-1") == [1, 2, 3]


def test_another_call_with_the_same_ids_is_not_taken_for_a_refused_one(store, url, monkeypatch):
    """What another store's call has stored where a refused one would stand."""
    pretend_copies(monkeypatch)
    both = events(2)
    store.append("order-1", both, expected_version=ANY)
    with JetStreamEventStore(url) as other:
        with pytest.raises(DuplicateEventError):
            other.append("order-1", both[:1], expected_version=0)  # a part of a call is none
        assert other.append("order-1", both, expected_version=0).last_version == 2
        other.append("order-1", events(), expected_version=ANY)
        more = events()
        store.append("order-1", more, expected_version=ANY)
        assert other.append("order-1", more, expected_version=ANY).last_version == 5  # a call of its own
    assert versions(store, "order-1") == [1, 2, 3, 4, 5]


def test_what_is_refused_all_the_time_ends_in_time(url, monkeypatch):
    async def refusing(self, requests, *limits):
        raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")

    with JetStreamEventStore(url) as store:
        store.initialize()
    with JetStreamEventStore(url, timeout=0.5) as store:
        monkeypatch.setattr(JetStream, "write", refusing)
        with pytest.raises(TransientStorageError, match="nothing was stored"):
            store.append("order-1", events(), expected_version=ANY)


def test_an_import_that_is_refused_all_the_time_ends_in_time(store, nats_url, monkeypatch):
    store.append("order-1", events(), expected_version=0)
    source = list(store.read_all())

    async def refusing(self, requests, *limits):
        raise RefusedError(WRONG_SEQUENCE_NOW, "wrong last sequence")

    with open_administration(f"{nats_url}/copy_{uuid4().hex[:8]}?timeout=0.5") as target:
        target.migrate()
        monkeypatch.setattr(JetStream, "write", refusing)
        with pytest.raises(TransientStorageError, match="nothing of this batch was stored"):
            target.import_events(source)


def test_an_import_of_an_id_that_is_no_uuid_is_refused(store, nats_url):
    store.append("order-1", events(), expected_version=0)
    [right, *_] = store.read_all()
    wrong = StoredEvent("order-1", 1, 1, "no id", right.event_type, right.data, right.metadata, right.timestamp)
    place = f"{nats_url}/copy_{uuid4().hex[:8]}"
    with open_administration(place) as target:
        target.migrate()
        with pytest.raises(UsageError, match="event_id must be a UUID, not str"):
            target.import_events([wrong])
        assert target.import_events([right]) == 1


def test_what_an_import_was_given_is_stored_in_utc_or_refused(nats_url):
    east = timezone(timedelta(hours=2))
    there = event(1, timestamp=datetime(2024, 1, 1, 12, tzinfo=east))
    place = f"{nats_url}/copy_{uuid4().hex[:8]}"
    with open_administration(place) as target:
        target.migrate()
        assert target.import_events([there]) == 1
        assert target.import_events([there]) == 0
        for wrong, said in (
            (event(2, timestamp=datetime.min.replace(tzinfo=east)), "not within the years 1 to 9999 of UTC"),
            (event(2, timestamp=datetime(2024, 1, 1)), "has no time zone"),  # noqa: DTZ001 -- the point
            (msgspec.structs.replace(event(2), version="2"), "has version '2', but a version is an int from 1"),
        ):
            with pytest.raises(UsageError, match=said):
                target.import_events([wrong])
        with pytest.raises(DuplicateEventError):
            target.import_events([msgspec.structs.replace(there, timestamp=datetime(2024, 1, 1, 12, tzinfo=UTC))])
    with open_store(place) as copy:
        [stored] = copy.read_all()
    assert stored.timestamp == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert stored.timestamp.tzinfo is UTC


def test_an_import_that_no_message_holds_is_refused_at_once(nats_url, monkeypatch):
    place = f"{nats_url}/copy_{uuid4().hex[:8]}"
    with open_administration(place) as target:
        target.migrate()
        monkeypatch.setattr(Connection, "max_payload", property(lambda connection: 100_000))
        most = target.limits.event_bytes
        writes, write = [], JetStream.write

        async def counted(self, requests, *limits):
            writes.append(len(requests))
            return await write(self, requests, *limits)

        monkeypatch.setattr(JetStream, "write", counted)
        large = msgspec.structs.replace(event(2), data="x" * (most - 8), metadata={"k": "x" * 8})
        with pytest.raises(UsageError, match=f"{most} bytes of data and metadata.*nothing was stored"):
            target.import_events([event(1), large])
        assert writes == []
        assert target.import_events([event(1), msgspec.structs.replace(large, data="x" * (most - 18))]) == 2
        assert writes == [2]


def test_limits_are_told_and_refused_up_front(store, monkeypatch):
    assert store.limits.call_events == 1000
    with pytest.raises(UsageError, match="1000"):
        store.append_batch([StreamAppend(f"a-{n}", events(501), ANY) for n in range(2)])
    # The server's own is above the contract's.
    monkeypatch.setattr(Connection, "max_payload", property(lambda connection: 100_000))
    most = store.limits.event_bytes
    with pytest.raises(UsageError, match=str(most)):
        store.append("a-1", [NewEvent("Happened", "x" * (most - 8), {"k": "x" * 8})], expected_version=ANY)
    assert store.head_position() == 0
