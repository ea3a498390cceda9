"""A leader that was cut off and answers from its past: it is not believed in what ends a call or a reader."""

from __future__ import annotations

import time
from math import inf

import msgspec
import pytest

from mink_core import ConcurrencyError, NewEvent, PositionAheadError, TransientStorageError
from mink_jetstream import JetStreamEventStore
from mink_jetstream.answers import Cluster
from mink_jetstream.place import Place
from mink_jetstream.reading import Reading
from tests.jetstream.pretended import CUT_OFF, pretend_copies, pretend_lost_majority


def test_a_leader_that_lost_its_majority_is_not_believed(url, monkeypatch):
    """It may lead no longer: a conflict or a position ahead that it tells may not be true."""
    with JetStreamEventStore(url, timeout=3) as store:
        store.initialize()
        store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
        with pytest.raises(ConcurrencyError):
            store.append("order-1", [NewEvent("Placed", 2)], expected_version=2)
        with pytest.raises(PositionAheadError):
            store.poll(7)
        pretend_copies(monkeypatch)
        pretend_lost_majority(monkeypatch)
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
    pretend_copies(monkeypatch)
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
    store._portal.run(store._inner._reading.acknowledged.note("order-1", 2))  # as an append does where there are copies
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


@pytest.mark.parametrize("cluster", [Cluster(), CUT_OFF])
def test_what_was_appended_is_known_though_a_former_leader_tells_an_old_epoch(store, monkeypatch, cluster):
    """A store looks now and then what it is; who answers may have been cut off while the epoch was bumped."""
    store.bump_epoch()
    pretend_copies(monkeypatch)
    place, acknowledged = store._inner._place, store._inner._reading.acknowledged
    place._looked = -inf
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    info, old = Place.info, [cluster]

    async def late(self, **more):
        found = await info(self, **more)
        if not old:
            return found
        config = msgspec.structs.replace(found.config, metadata=found.config.metadata | {"mink.epoch": "1"})
        return msgspec.structs.replace(found, config=config, cluster=old.pop())

    monkeypatch.setattr(Place, "info", late)
    place._looked = -inf
    store.append("order-2", [NewEvent("Placed", 1)], expected_version=0)
    assert old == []
    assert (acknowledged.of("order-1"), acknowledged.of("order-2"), acknowledged.newest) == (1, 2, 2)
    place._looked = -inf
    store.bump_epoch()  # and what is told twice is so
    assert store.append("order-3", [NewEvent("Placed", 1)], expected_version=0).last_position == 3
    assert (acknowledged.of("order-1"), acknowledged.newest) == (0, 3)


def test_nobody_is_ahead_of_who_was_cut_off_a_moment_ago(store, monkeypatch):
    """FEED-08: what ends a reader for good is told by two looks."""
    store.append("order-1", [NewEvent("Placed", n) for n in range(3)], expected_version=0)
    identity = store.identity()
    store.bump_epoch()
    present = store.identity()
    pretend_copies(monkeypatch)
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
