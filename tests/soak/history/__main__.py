"""The command; see `--help`.

Three client processes (threads with psycopg, tasks with psycopg, tasks with asyncpg) append, race, repeat, batch,
hold transactions open, roll back, read and follow; durable workers hand over and are killed. After each window
of a few seconds all of it is judged by the kit's history checker, while the next one runs. Exits with 1 when a rule was
broken, or when memory, threads, files or connections grew over the last two thirds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median

import psycopg

from mink_postgres.server import postgres_for_tests
from tests.soak.history.flatness import trends
from tests.soak.history.judging import Plan
from tests.soak.history.run import as_dict, soak
from tests.soak.history.twins import TWINS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.history", description=__doc__)
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--window", type=float, default=Plan.window, help="seconds of load between two judgements")
    parser.add_argument("--pace", type=float, default=Plan.pace, help="seconds between an actor's operations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--twin", choices=sorted(TWINS), default="", help="a broken store, which must be rejected")
    parser.add_argument("--plot", type=Path, help="a picture of rates, memory and connections")
    parser.add_argument("--json", type=Path, help="all figures")
    parser.add_argument("--keep", type=Path, help="a folder for the histories of windows that broke a rule")
    given = parser.parse_args()
    plan = Plan(given.minutes, given.window, given.pace, given.seed, twin=given.twin, keep=given.keep)
    with postgres_for_tests() as url:
        schema = f"soak_{os.getpid()}"
        try:
            outcome = soak(url, schema, plan, lambda text: print(text, flush=True))
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')  # type: ignore[call-overload]
    tendencies = trends(outcome.samples)
    rates = {
        name: [getattr(window, name) / window.seconds for window in outcome.windows]
        for name in ("calls", "appends", "events", "conflicts", "reads", "deliveries")
    }
    for name, values in rates.items():
        print(f"{name:11} a second: min {min(values):7.1f}  median {median(values):7.1f}  max {max(values):7.1f}")
    print(f"outcomes of calls: {outcome.outcomes}; repeats to `least`: {sum(it.repeats for it in outcome.windows)}")
    for trend in tendencies:
        print(trend)
    for told in outcome.wrong[:20]:
        print(f"WRONG  {told}")
    grown = [trend.series for trend in tendencies if not trend.is_flat]
    verdict = f"REJECTED: {len(outcome.wrong)} findings, growing: {grown}" if outcome.wrong or grown else "ACCEPTED"
    print(
        f"{verdict}. {given.minutes:g} minutes, {len(outcome.windows)} windows, {outcome.judged} calls and {outcome.acts} "
        f"lease calls judged, {outcome.stored} events stored, {outcome.kills} kills, {outcome.hand_overs} hand-overs."
    )
    if given.json:
        given.json.write_text(json.dumps(as_dict(plan, outcome), default=str), "utf-8")
    if given.plot:
        from tests.soak.history.plot import draw  # noqa: PLC0415 -- only where a picture is asked for

        title = (
            f"Soak, {given.minutes:g} minutes: {outcome.stored:,} events, {outcome.judged:,} calls judged; {verdict}"
        )
        draw(given.plot, title, outcome.windows, outcome.samples)
    return 1 if outcome.wrong or grown else 0


if __name__ == "__main__":
    sys.exit(main())
