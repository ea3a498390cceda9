"""One server's word that a stream has one copy: no server of a cluster is believed to be the only one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mink_core import EventFilter, ExpectedVersion, NewEvent
from mink_jetstream import JetStreamEventStore
from mink_jetstream.jetstream import JetStream
from mink_jetstream.reading import Reading


@pytest.fixture
def moved(store: JetStreamEventStore, monkeypatch: pytest.MonkeyPatch) -> JetStreamEventStore:
    """The stream was moved or got copies, and who had the only one says so still; another copy lacks ten of 30 events."""
    for number in range(30):
        store.append(f"order-{number % 3}", [NewEvent("Placed", number)], expected_version=ExpectedVersion.ANY)
    page, info = Reading.page, JetStream.info

    async def lagging(self: Reading, *wanted: Any) -> Any:
        return [event for event in await page(self, *wanted) if event.global_position <= 20]

    async def of_a_cluster(self: JetStream, *which: Any, **more: Any) -> Any:
        found = await info(self, *which, **more)
        assert found.config is not None
        assert (found.config.num_replicas, found.cluster.name) == (1, "")
        return msgspec.structs.replace(found, cluster=msgspec.structs.replace(found.cluster, name="mink"))

    monkeypatch.setattr(Reading, "page", lagging)
    monkeypatch.setattr(JetStream, "info", of_a_cluster)
    return store


@pytest.mark.parametrize(
    "where", [EventFilter(), EventFilter(categories=("order",)), EventFilter(stream_ids=("none-1",))]
)
def test_no_event_is_skipped(moved, where):
    wanted = [] if where.stream_ids else list(range(1, 31))
    assert [event.global_position for event in moved.read_all(where=where)] == wanted
    page = moved.poll(0, where=where)
    assert ([event.global_position for event in page.events], page.next_position) == (wanted, 30)


def test_what_was_appended_is_remembered(moved):
    moved.poll(0)
    moved.append("order-1", [NewEvent("Placed", 31)], expected_version=10)
    acknowledged = moved._inner._reading.acknowledged
    assert (acknowledged.of("order-1"), acknowledged.newest) == (31, 31)


def test_the_only_server_is_believed_for_as_long_as_the_connection_lasts(store):
    """The next one may lead to a server of a cluster."""
    store.poll(0)
    place = store._inner._place
    assert place.is_alone
    store._inner._connection.reconnects += 1
    assert not place.is_alone
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    assert place.is_alone
