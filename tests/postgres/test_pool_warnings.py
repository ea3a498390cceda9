"""An outage is told of, but not twice a second for as long as it lasts."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from mink_postgres.drivers import psycopg_pools

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("psycopg.pool")


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    [ours] = [one for one in LOG.filters if isinstance(one, psycopg_pools._NowAndThen)]
    monkeypatch.setattr(ours, "_next", {})
    with caplog.at_level(logging.INFO, "psycopg.pool"):
        yield


def outage(name: str, attempts: int) -> None:
    for number in range(attempts):
        LOG.warning("error connecting in %r: %s", name, number)
        LOG.warning("reconnection attempt in pool %r failed after %s sec", name, 1.0)


def test_one_of_each_kind_now_and_then(
    quiet: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage(psycopg_pools.NAME, 20)
    assert caplog.messages == [
        "error connecting in 'mink': 0",
        "reconnection attempt in pool 'mink' failed after 1.0 sec",
    ]
    later = time.monotonic() + psycopg_pools._PAUSE
    monkeypatch.setattr(psycopg_pools.time, "monotonic", lambda: later)
    outage(psycopg_pools.NAME, 20)
    assert len(caplog.messages) == 4


def test_what_others_pools_say_is_theirs(quiet: None, caplog: pytest.LogCaptureFixture) -> None:
    outage("theirs", 3)
    LOG.warning("discarding closed connection: %s", "one")
    LOG.info("growing pool %r to %s", psycopg_pools.NAME, 2)
    assert len(caplog.messages) == 8
