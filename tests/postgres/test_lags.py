"""How far a subscription's partitions are behind: each event is looked at once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mink_core import ExpectedVersion, NewEvent
from mink_core.partitions import partition_of
from mink_core.subscriptions import checkpoint_name
from mink_postgres import PostgresEventStore
from mink_postgres.programs import subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_core import SubscriptionStatus

EVENTS, PARTITIONS, COUNTED = 1000, 8, 50


@pytest.fixture
def store(postgres_url: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresEventStore]:
    monkeypatch.setattr(subscriptions, "_COUNTED", COUNTED)
    with PostgresEventStore(postgres_url, schema=schema, min_size=1, max_size=1) as opened:
        opened.initialize()
        with opened.transaction() as tx:
            for number in range(EVENTS):
                tx.append(f"a-{number}", [NewEvent("Made", number)], expected_version=ExpectedVersion.ANY)
        opened.subscriptions.hold("s", "w", partitions=PARTITIONS, seconds=60)
        yield opened


def lags(store: PostgresEventStore) -> tuple[SubscriptionStatus, int]:
    """The status, and how many events were read for it."""
    events = f"'{store._context.sql.quoted}.events'::regclass"
    counted = f"SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = {events}"
    with store.transaction() as tx:
        before = tx.connection.execute(counted).fetchone()
        (status,) = tx.subscriptions.list()
        after = tx.connection.execute(counted).fetchone()
    assert before is not None
    assert after is not None
    return status, after[0] - before[0]


@pytest.mark.parametrize("behind", [[0] * 8, [0, 999, 0, 990, 500, 500, 998, 0], [1000] * 8, [1000] * 7 + [0]])
def test_each_partition_is_counted_and_each_event_read_once(store: PostgresEventStore, behind: list[int]) -> None:
    feed = list(store.read_all())
    for partition, place in enumerate(behind):
        if place:
            name = checkpoint_name("s", partition, PARTITIONS)
            store.checkpoints.save(name, feed[place - 1].global_position, expected=None)
    status, read = lags(store)
    wanted = [
        sum(partition_of(event.stream_id, PARTITIONS) == partition for event in feed[place:])
        for partition, place in enumerate(behind)
    ]
    assert [part.lag_events for part in status.partitions] == [min(count, COUNTED) for count in wanted]
    assert [part.lag_seconds > 0 for part in status.partitions] == [count > 0 for count in wanted]
    assert read <= EVENTS - min(behind) + 10  # from the one that is furthest behind on


def test_a_partition_without_events_is_not_looked_for_without_end(
    store: PostgresEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "_LOOKED", 200)
    monkeypatch.setattr(subscriptions, "_COUNTED", 100)
    status, read = lags(store)
    assert status.lag_events == 200
    assert read <= 210
