"""The soak that kills relays, in short; the long one is `python -m tests.soak.relay` (OUTBOX-02 to OUTBOX-05)."""

from __future__ import annotations

import os

from tests.soak.relay import Plan, run

SECONDS = float(os.environ.get("MINK_SOAK_SECONDS", "5"))


def test_nothing_is_lost_when_relays_die(postgres_url: str, schema: str) -> None:
    kills = max(4, round(SECONDS / 2))
    plan = Plan(seconds=SECONDS, workers=3, rate=200, kills=kills, pauses=2, poison=1, lease=1.0, drain=120)
    result = run(postgres_url, schema, plan)
    assert result.wrong == []
    assert (result.kills, result.dead) == (kills, 1)
    assert result.acknowledged == result.offered - 1 > 0
    assert result.published >= result.acknowledged
