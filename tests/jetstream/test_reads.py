"""Reads that a copy behind the leader answers, versions found without an index, and what others write."""

from __future__ import annotations

import asyncio
import io
import time
import uuid
from datetime import UTC, datetime

import msgspec
import nats
import pytest
from nats.aio.client import Client

from mink_core import (
    CapabilityNotSupportedError,
    ConcurrencyError,
    Direction,
    EventFilter,
    ExpectedVersion,
    LeaseLostError,
    NewEvent,
    PositionAheadError,
    StorageError,
    StreamAppend,
    TransientStorageError,
    UsageError,
    open_store,
)
from mink_core.administration import StreamMark
from mink_core.registry import open_administration
from mink_core.transfer import export, import_lines, verify
from mink_jetstream import JetStreamEventStore
from mink_jetstream.answers import Cluster, Peer
from mink_jetstream.patience import Patience
from mink_jetstream.place import Place
from mink_jetstream.reading import PAGE, Reading
from mink_jetstream.records import Records
from mink_jetstream.requests import Gathered, Request
from mink_jetstream.wire import Wire

ANY = ExpectedVersion.ANY
DOWN = Direction.BACKWARD


def fill(store: JetStreamEventStore, calls: int) -> None:
    """A stream that grows unevenly between the events of another."""
    for number in range(calls):
        noise = [NewEvent("Noted", n) for n in range(1 + 300 * (number % 3))]
        store.append_batch(
            [
                StreamAppend("noise-1", noise, ANY),
                StreamAppend("order-1", [NewEvent("Placed", n) for n in range(200)], ANY),
            ]
        )


def test_a_version_is_found_in_a_few_requests(store, monkeypatch):
    fill(store, 12)  # 2,400 events of the stream among 3,612 others
    page, asked = Reading.page, []

    async def counting(self, subject, sequence, size):
        asked.append(size)
        return await page(self, subject, sequence, size)

    monkeypatch.setattr(Reading, "page", counting)
    for after in (0, 1, PAGE, PAGE + 1, 1234, 1999, 2395):
        asked.clear()
        found = [event.version for event in store.read_stream("order-1", after_version=after, limit=4)]
        assert found == list(range(after + 1, after + 5))
        assert len(asked) <= 12, after
    backwards = store.read_stream("order-1", after_version=700, limit=1100, direction=DOWN)
    assert [event.version for event in backwards] == list(range(2400, 1300, -1))
    assert [event.version for event in store.read_stream("order-1", direction=DOWN)] == list(range(2400, 0, -1))


@pytest.fixture
def stale(store, monkeypatch):
    """Every direct get is answered by a copy that lacks the newest ten events."""
    for number in range(30):
        store.append(f"order-{number % 3}", [NewEvent("Placed", number)], expected_version=ANY)
    page = Reading.page

    async def lagging(self, subject, sequence, size):
        return [event for event in await page(self, subject, sequence, size) if event.global_position <= 20]

    monkeypatch.setattr(Reading, "page", lagging)
    return store


def replicated(monkeypatch) -> None:
    """Whatever the server says, there are several copies."""
    monkeypatch.setattr(Place, "is_alone", property(lambda place: False, lambda place, value: None), raising=False)


def test_a_copy_that_is_behind_hides_nothing(stale, monkeypatch):
    replicated(monkeypatch)
    assert [event.version for event in stale.read_stream("order-2")] == list(range(1, 11))
    assert [event.global_position for event in stale.read_all()] == list(range(1, 31))
    assert [event.global_position for event in stale.read_all(direction=DOWN)] == list(range(30, 0, -1))
    assert stale.poll(0).next_position == 30
    where = EventFilter(categories=("order",))
    assert [event.global_position for event in stale.read_all(where=where)] == list(range(1, 31))


def test_a_page_may_end_with_what_only_the_leader_shows(stale, monkeypatch):
    """Nothing is asked for after its last event: to a request for none the server sends no end."""
    replicated(monkeypatch)
    for after, limit in ((20, 1), (19, 2), (20, 3)):
        wanted = list(range(after + 1, after + limit + 1))
        page = stale.poll(after, limit=limit)
        assert ([event.global_position for event in page.events], page.next_position) == (wanted, wanted[-1])
        assert [event.global_position for event in stale.read_all(after_position=after, limit=limit)] == wanted


def test_a_reader_that_takes_the_copy_for_the_leader_misses_events(stale):
    """The broken twin of the two above."""
    assert len(list(stale.read_all())) == 20


def test_a_leader_that_shows_less_than_was_told_moves_no_reader_past_it(stale, monkeypatch):
    """The mark came from one server and the page from another that was cut off and still answers as the leader."""

    async def nothing(self, subject, sequence):
        return None

    async def never(self):
        return False

    monkeypatch.setattr(Reading, "_next", nothing)
    monkeypatch.setattr(Patience, "pause", never)  # the time is over
    replicated(monkeypatch)
    for where in (EventFilter(), EventFilter(categories=("order",)), EventFilter(categories=("none",))):
        assert stale.poll(0, where=where).next_position == 20
        with pytest.raises(TransientStorageError, match="above position 20"):
            list(stale.read_all(where=where))
    with pytest.raises(TransientStorageError):
        list(stale.read_all(direction=DOWN))


def test_a_leader_that_lost_its_majority_is_not_believed(url, monkeypatch):
    """It may lead no longer: a conflict or a position ahead that it tells may not be true."""
    info = Place.info

    async def alone(self, **more):
        found = await info(self, **more)
        self.is_alone = False
        cluster = Cluster("node-0", tuple(Peer(f"node-{n}", active=4_000_000_000) for n in (1, 2)))
        return msgspec.structs.replace(found, cluster=cluster)

    with JetStreamEventStore(url, timeout=3) as store:
        store.initialize()
        store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
        with pytest.raises(ConcurrencyError):
            store.append("order-1", [NewEvent("Placed", 2)], expected_version=2)
        with pytest.raises(PositionAheadError):
            store.poll(7)
        monkeypatch.setattr(Place, "info", alone)
        store._inner._place.is_alone = False
        with pytest.raises(TransientStorageError, match="majority"):
            store.append("order-1", [NewEvent("Placed", 2)], expected_version=2)
        with pytest.raises(TransientStorageError, match="majority"):
            store.poll(7)
        assert store.append("order-1", [NewEvent("Placed", 2)], expected_version=1).last_version == 2


@pytest.fixture
def former(store, monkeypatch):
    """A leader that was cut off, and answers with the first of two events so many times: then its successor does."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    wanted = {"last_by_subj": store._inner._place.subjects.of_stream("order-1")}
    old = store._portal.run(store._inner._reading._leader(wanted))
    store.append("order-1", [NewEvent("Placed", 2)], expected_version=1)
    replicated(monkeypatch)
    leader, answers = Reading._leader, []

    async def late(self, asked):
        return answers.pop() if answers and asked == wanted else await leader(self, asked)

    monkeypatch.setattr(Reading, "_leader", late)

    def says(times: int) -> list[object]:
        answers[:] = [old] * times
        return answers

    return says


def test_a_store_reads_what_it_has_appended_whoever_answers(store, former):
    """READ-06, in the moment after a partition in which two servers take themselves for the leader."""
    store._inner._reading.acknowledged.note("order-1", 2)  # as an append does where there are copies
    answers = former(3)
    assert [event.version for event in store.read_stream("order-1")] == [1, 2]
    assert answers == []
    former(3)
    assert store.stream_info("order-1").version == 2
    store.bump_epoch()  # in a restored backup its own append may be missing for good
    former(2)
    assert [event.version for event in store.read_stream("order-1")] == [1]


def test_an_old_version_is_not_told_by_who_was_cut_off_a_moment_ago(store, url, former, monkeypatch):
    """It answers what the stream's newest event is, then hears of its successor, who answers who leads."""
    with JetStreamEventStore(url) as other:
        for appended in (False, True):
            if appended:  # what it has appended itself a moment ago shows who leads: no pause, and no mistake
                other.append("other-1", [NewEvent("Placed", 1)], expected_version=0)
            answers = former(1)
            with pytest.raises(ConcurrencyError) as told:
                other.append("order-1", [NewEvent("Placed", 3)], expected_version=7)
            assert (told.value.actual, answers) == (2, [])
        answers = former(1)
        monkeypatch.setattr("mink_jetstream.refusals.HEALING", 60.0)
        began = time.monotonic()
        with pytest.raises(ConcurrencyError) as told:
            other.append("other-1", [NewEvent("Placed", 3)], expected_version=7)
        assert told.value.actual == 1
        assert time.monotonic() - began < 30


def test_a_page_that_lost_a_message_on_its_way_is_read_again(store, monkeypatch):
    """Servers drop what a slow route does not take; the status comes all the same."""
    store.append("order-1", [NewEvent("Placed", n) for n in range(9)], expected_version=0)
    gather, lost = Wire.gather, []

    async def losing(self, request, deadline):
        messages, end = await gather(self, request, deadline)
        if lost:
            del messages[lost.pop()]
        return Gathered(messages, end)

    monkeypatch.setattr(Wire, "gather", losing)
    for index in (0, 4, 8):
        for read in (store.read_all, lambda: store.read_stream("order-1")):
            lost.append(index)
            assert [event.version for event in read()] == list(range(1, 10))
            assert lost == []


def test_a_read_that_nobody_heard_is_asked_again_soon(store, monkeypatch):
    """While nobody leads, a request is lost; who is chosen then is not waited for until its time is over."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    publish, lost = Client.publish, []

    async def deaf(self, subject, payload=b"", **more):
        if subject.startswith("$JS.API") and len(lost) < 3:
            lost.append(subject)
        else:
            await publish(self, subject, payload, **more)

    monkeypatch.setattr(Client, "publish", deaf)
    began = time.monotonic()
    assert store.stream_info("order-1").version == 1
    assert len(lost) == 3
    assert time.monotonic() - began < 8


def test_a_read_that_is_refused_is_no_end(store):
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    place, wanted = store._inner._place, {"seq": 1, "last_by_subj": "x", "batch": 1}
    with pytest.raises(StorageError, match="408"):
        store._portal.run(place.page(wanted))


def test_nobody_is_ahead_of_who_was_cut_off_a_moment_ago(store, monkeypatch):
    """FEED-08: what ends a reader for good is told by two looks."""
    store.append("order-1", [NewEvent("Placed", n) for n in range(3)], expected_version=0)
    identity = store.identity()
    store.bump_epoch()
    present = store.identity()
    replicated(monkeypatch)
    info, old = Place.info, []

    async def late(self, **more):
        found = await info(self, **more)
        if not old:
            return found
        config = msgspec.structs.replace(found.config, metadata=found.config.metadata | old.pop())
        return msgspec.structs.replace(found, config=config, state=msgspec.structs.replace(found.state, last_seq=1))

    monkeypatch.setattr(Place, "info", late)
    for metadata in ({}, {"mink.epoch": "1"}):
        old.append(metadata)
        assert store.poll(3, identity=present).next_position == 3
        assert old == []
    for position, of in ((3, identity), (4, present)):
        with pytest.raises(PositionAheadError):
            store.poll(position, identity=of)


def test_a_stream_that_comes_while_streams_are_listed_moves_none_to_be_listed_twice(store, monkeypatch):
    """A server tells 100,000 subjects at once, sorted, and the next ones from an offset."""
    for number in range(1, 6):
        store.append(f"order-{number}", [NewEvent("Placed", 1)], expected_version=0)
    info = Place.info

    async def few(self, *, subjects=None, offset=0):
        found = await info(self, subjects=subjects)
        if subjects is None:
            return found
        if offset:
            await self.jetstream.write(
                [Request(self.subjects.of_stream("order-0"), b"", {})], self.jetstream.deadline()
            )
            found = await info(self, subjects=subjects)
        names = dict(sorted(found.state.subjects.items())[offset : offset + 3])
        return msgspec.structs.replace(
            found, state=msgspec.structs.replace(found.state, subjects=names), total=len(found.state.subjects)
        )

    monkeypatch.setattr(Place, "info", few)
    assert [it.stream_id for it in store.streams()] == [f"order-{number}" for number in range(1, 6)]


def test_what_something_else_publishes_is_told_and_not_read_over(store, url):
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)

    async def intrude() -> None:
        client = await nats.connect(url.rpartition("/")[0])
        await client.jetstream().publish(f"mink.{store.options.store}.order.1", b"{}")
        await client.close()

    asyncio.run(intrude())
    with JetStreamEventStore(url) as fresh:
        for use in (
            lambda: list(fresh.read_all()),
            lambda: fresh.append("order-1", [NewEvent("Placed", 2)], expected_version=ANY),
        ):
            with pytest.raises(StorageError, match="publishes"):
                use()


def test_records_that_change_meanwhile_are_changed_anew(store, monkeypatch):
    store.checkpoints.save("reader", 1, expected=None)
    write, beaten = Records._write, []

    async def overtaken(self, written, loaded, deadline):
        if not beaten:
            beaten.append(True)
            await self.change(lambda view: view.put(next(iter(written)), loaded[next(iter(written))].data))
        return await write(self, written, loaded, deadline)

    monkeypatch.setattr(Records, "_write", overtaken)
    store.checkpoints.save("reader", 2, expected=1)
    assert beaten
    assert store.checkpoints.load("reader").position == 2


def test_a_lease_that_is_taken_over_while_a_checkpoint_is_saved_fences_it(store, monkeypatch):
    """After the save has looked at the lease, and before it writes."""
    (lease,) = store.subscriptions.hold("reader", "one", partitions=1, seconds=30).leases
    store.checkpoints.save("reader", 1, expected=None, lease=lease)
    write, taken = Records._write, []

    async def overtaken(self, written, loaded, deadline):
        if not taken and any("checkpoint" in key for key in written):
            taken.append(True)
            await store._inner.subscriptions.leave("reader", "one")
            await store._inner.subscriptions.hold("reader", "two", partitions=1, seconds=30)
        return await write(self, written, loaded, deadline)

    monkeypatch.setattr(Records, "_write", overtaken)
    with pytest.raises(LeaseLostError):
        store.checkpoints.save("reader", 2, expected=1, lease=lease)
    assert taken
    assert store.checkpoints.load("reader").position == 1


def test_snapshots_use_their_slots_again(store):
    for version in range(1, 12):
        assert store.snapshots.save("order-1", version, {"at": version}, keep=3)
    assert store.snapshots.load("order-1", at_version=10).data == {"at": 10}
    assert store.snapshots.save("order-1", 12, b"raw", keep=1)
    assert store.snapshots.load("order-1", at_version=11) is None
    keys = store._portal.run(store._inner._records.keys(store._inner.keys.below("snapshot")))
    assert len(keys) <= 4  # three slots and the list
    assert store.snapshots.delete("order-1") == 1
    assert store.snapshots.load("order-1") is None


def test_a_store_moves_in_and_out_with_equal_hashes(url, nats_url):
    with open_store(f"memory://{uuid.uuid4().hex}") as source:
        for number in range(1500):
            source.append(
                f"order-{number % 7}",
                [NewEvent("Placed", {"n": number}, {"m": 1.0} if number % 2 else None)],
                expected_version=ANY,
            )
        file = io.BytesIO()
        export(source, file.write)
    lines = file.getvalue().splitlines(keepends=True)
    for target in (url, f"{nats_url}/again_{uuid.uuid4().hex[:8]}"):
        with open_administration(target) as administration:
            administration.migrate()
            half = import_lines_of(lines[:900], administration)
            found = import_lines(lines, administration)
            assert (half, found.events, found.stored) == (899, 1500, 1500 - 899)
            assert import_lines(lines, administration).stored == 0
        with open_store(target) as store:
            verify(store, found.digests)
            out = io.BytesIO()
            export(store, out.write)
        lines = out.getvalue().splitlines(keepends=True)
    assert lines[-1] == file.getvalue().splitlines(keepends=True)[-1]  # the hash of the whole, in its order


@pytest.mark.parametrize("told_first", [True, False])
def test_marks_are_refused_before_an_event_is_stored(url, told_first):
    """What was deleted where it comes from would be read again."""
    with open_store(f"memory://{uuid.uuid4().hex}") as source:
        source.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
        file, marks = io.BytesIO(), [StreamMark("order-1", 1, 0, 1, datetime.now(UTC), None)]
        answers = [marks if told_first else [], marks]
        export(source, file.write, marks=lambda: answers.pop(0))
    with open_administration(url) as administration:
        administration.migrate()
        with pytest.raises(CapabilityNotSupportedError, match="1 streams"):
            import_lines(file.getvalue().splitlines(keepends=True), administration)
        # Deleted while it was exported: only the end of the file tells.
        assert administration.statistics().events == (0 if told_first else 1)


def import_lines_of(lines, administration) -> int:
    """What an import that ends early has stored."""
    with pytest.raises(UsageError, match="ends early"):
        import_lines(lines, administration)
    return administration.statistics().events
