"""The soak that kills relays, in short; the long one is `python -m tests.soak.relay` (OUTBOX-02 to OUTBOX-05)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from mink_core import CallablePublisher, OutboxMessage, TransientStorageError, open_store
from tests.soak.relay import Plan, run
from tests.soak.relay_worker import Noting, Told

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = float(os.environ.get("MINK_SOAK_SECONDS", "5"))


def test_nothing_is_lost_when_relays_die(postgres_url: str, schema: str) -> None:
    kills = max(4, round(SECONDS / 2))
    plan = Plan(seconds=SECONDS, workers=3, rate=200, kills=kills, pauses=2, poison=1, lease=1.0, drain=120)
    result = run(postgres_url, schema, plan)
    assert result.wrong == []
    assert (result.kills, result.dead) == (kills, 1)
    assert result.acknowledged == result.offered - 1 > 0
    assert result.published >= result.acknowledged


def test_a_worker_notes_what_it_could_not_acknowledge_in_time(tmp_path: Path) -> None:
    """So that a repeat after a long outage is no fault of the relay's to the soak's judge."""
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)

    def down(_verdicts: Any) -> None:
        raise TransientStorageError("down")

    with open_store("memory://") as store:
        store.outbox.add([OutboxMessage("t", {"n": n, "kind": "plain"}) for n in (7, 8)])
        relay = Told(store, CallablePublisher(lambda _: None), lease=0.2)
        relay.log = log
        noting = Noting(store.outbox, log)
        relay._outbox = noting  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] -- it answers to all calls
        with pytest.MonkeyPatch.context() as broken, pytest.raises(TransientStorageError):
            broken.setattr(type(store.outbox), "settle", lambda _, verdicts: down(verdicts))
            relay.run_once()
        assert (tmp_path / "log").read_text().splitlines()[-2:] == ["late 7", "late 8"]
        time.sleep(0.2)
        assert sum(relay.run_once() for _ in range(2)) == 2  # suspects come one at a time
        assert "late" not in (tmp_path / "log").read_text().splitlines()[-2:]
    os.close(log)
