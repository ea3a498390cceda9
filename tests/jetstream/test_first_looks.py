"""A store whose first look meets a leader that was cut off while the epoch was bumped: it tells, and keeps, no old one."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from mink_core import NewEvent
from mink_jetstream import JetStreamEventStore
from mink_jetstream.answers import Cluster
from mink_jetstream.jetstream import JetStream
from tests.jetstream.pretended import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALED = Cluster()
"""What it says in the second after that: replies that were held up count as news."""


class Former:
    """Has the first answers on who leads be a former leader's: of epoch 1, and of a log that ends somewhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[tuple[Cluster, int | None]] = []
        info = JetStream.info

        async def late(jetstream: JetStream, *which: Any, **more: Any) -> Any:
            found = await info(jetstream, *which, **more)
            if not self.answers:
                return found
            cluster, end = self.answers.pop(0)
            config, state = found.config, found.state
            if end is None:
                config = msgspec.structs.replace(config, metadata=config.metadata | {"mink.epoch": "1"})
            else:
                state = msgspec.structs.replace(state, last_seq=end)
            return msgspec.structs.replace(found, config=config, state=state, cluster=cluster)

        monkeypatch.setattr(JetStream, "info", late)

    def tells_the_old_epoch(self, cluster: Cluster) -> None:
        self.answers.append((cluster, None))

    def is_behind(self, end: int) -> None:
        self.answers.append((CUT_OFF, end))


@pytest.fixture
def former(replicated: None, store: JetStreamEventStore, monkeypatch: pytest.MonkeyPatch) -> Former:
    """The store is at epoch 2."""
    store.bump_epoch()
    return Former(monkeypatch)


@pytest.fixture
def fresh(former: Former, url: str) -> Iterator[JetStreamEventStore]:
    """A store that has asked nothing yet."""
    with JetStreamEventStore(url) as other:
        yield other


@pytest.mark.parametrize("cluster", [CUT_OFF, HEALED], ids=["cut off", "healed"])
def test_an_old_epoch_is_not_told(former, fresh, cluster):
    former.tells_the_old_epoch(cluster)
    assert fresh.identity().epoch == 2
    assert former.answers == []


@pytest.mark.parametrize("cluster", [CUT_OFF, HEALED], ids=["cut off", "healed"])
def test_a_reader_that_begins_is_not_taken_for_one_of_the_past(former, fresh, store, cluster):
    """FEED-08: its checkpoint keeps what the store said that it is, for good."""
    former.tells_the_old_epoch(cluster)
    former.tells_the_old_epoch(cluster)
    fresh.checkpoints.save("mail", 0, expected=None)
    assert former.answers == []
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    page = store.poll(0, identity=fresh.checkpoints.load("mail").identity)
    assert page.next_position == 1


@pytest.mark.parametrize("cluster", [CUT_OFF, HEALED], ids=["cut off", "healed"])
def test_an_epoch_is_bumped_that_was_bumped_before(former, fresh, store, cluster):
    """FEED-08: else readers of the second epoch would go on in silence."""
    former.tells_the_old_epoch(cluster)
    assert fresh.bump_epoch().epoch == 3
    assert former.answers == []
    assert store.identity().epoch == 3


@pytest.mark.parametrize("cluster", [CUT_OFF, HEALED], ids=["cut off", "healed"])
def test_what_was_appended_after_it_stays_known(former, fresh, store, cluster):
    """READ-06: who does not know it is behind, also once the store has looked again."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    former.tells_the_old_epoch(cluster)
    fresh.append("order-2", [NewEvent("Placed", 1)], expected_version=0)
    assert former.answers == []
    fresh._inner._place._looked = -inf  # as after a minute
    store.append("order-1", [NewEvent("Placed", 2)], expected_version=1)
    fresh.append("order-3", [NewEvent("Placed", 1)], expected_version=0)
    acknowledged = fresh._inner._reading.acknowledged
    assert (acknowledged.of("order-2"), acknowledged.of("order-3")) == (2, 4)
    former.is_behind(1)
    assert [event.global_position for event in fresh.poll(1).events] == [2, 3, 4]
    assert former.answers == []


@pytest.mark.parametrize("cluster", [CUT_OFF, HEALED], ids=["cut off", "healed"])
def test_what_was_appended_is_not_void_where_who_is_behind_knows_the_epoch(former, fresh, store, cluster):
    """READ-06, without a look in between."""
    store.append("order-1", [NewEvent("Placed", 1)], expected_version=0)
    former.tells_the_old_epoch(cluster)
    fresh.append("order-2", [NewEvent("Placed", 1)], expected_version=0)
    former.is_behind(1)
    former.answers += [(HEALED, 1), (HEALED, 1), (HEALED, 1)]  # also to the looks that follow
    assert [event.global_position for event in fresh.poll(1).events] == [2]
    assert former.answers == []
