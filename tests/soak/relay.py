"""Relays killed at random under load: `python -m tests.soak.relay --seconds 60` (rules OUTBOX-02 to OUTBOX-05).

Eight workers publish what is offered. Some are killed, some are stopped for longer than their lease and
go on, and some messages kill whoever publishes them. Afterwards: nothing is lost, no acknowledgement
was taken after its lease, and a message was published twice only where a worker died or stood still.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mink_core import ExpectedVersion, MessageStatus, NewEvent, OutboxMessage, open_store
from mink_postgres.server import postgres_for_tests

# Independent of the function that takes acknowledgements: it looks at what was stored before.
WATCH = """
CREATE TABLE "{schema}".late_acknowledgements (position bigint);
CREATE FUNCTION "{schema}".watch_leases() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.due_at <= statement_timestamp() OR OLD.token <> NEW.token OR OLD.status <> 'claimed' THEN
        INSERT INTO "{schema}".late_acknowledgements VALUES (OLD.position);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch_leases AFTER UPDATE ON "{schema}".outbox FOR EACH ROW
    WHEN (NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION "{schema}".watch_leases();
"""


@dataclass
class Plan:
    seconds: float = 60
    workers: int = 8
    rate: int = 1000
    kills: int = 30
    pauses: int = 4
    poison: int = 3
    lease: float = 3.0
    seed: int = 0
    drain: float = 60


@dataclass
class Result:
    offered: int = 0
    acknowledged: int = 0
    published: int = 0
    twice: int = 0
    twice_told_late: int = 0
    """Of `twice`: no publisher was killed or paused, but one was refused the acknowledgement of this message,
    or could not send it while its lease lasted."""
    kills: int = 0
    killed_by_message: int = 0
    refused: int = 0
    unsettled: int = 0
    """Acknowledgements that a storage error ended; they are tried again while the lease lasts."""
    dead: int = 0
    seconds: float = 0
    wrong: list[str] = field(default_factory=list)


class Workers:
    """Relay processes; one that ended is replaced."""

    def __init__(self, url: str, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._args = [sys.executable, "-m", "tests.soak.relay_worker", url, str(folder), str(plan.lease)]
        self.running = [self._start() for _ in range(plan.workers)]
        self.broken: set[int] = set()
        self.paused: set[int] = set()
        self.killed_by_message = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._args, env={**os.environ, "PYTHONPATH": str(Path.cwd())})

    def replace_dead(self) -> None:
        for index, process in enumerate(self.running):
            if process.poll() is not None:
                if process.pid not in self.broken:
                    self.killed_by_message += 1
                self.broken.add(process.pid)
                self.running[index] = self._start()

    def kill(self, chosen: subprocess.Popen[bytes]) -> None:
        self.broken.add(chosen.pid)
        chosen.kill()
        chosen.wait()

    def pause(self, chosen: subprocess.Popen[bytes], seconds: float) -> None:
        """Stop one that has published and not yet acknowledged, for so long."""
        self.broken.add(chosen.pid)
        self.paused.add(chosen.pid)
        log = self._folder / f"{chosen.pid}"
        for _ in range(1000):
            chosen.send_signal(signal.SIGSTOP)
            time.sleep(0.001)
            lines = log.read_text().splitlines() if log.exists() else []
            if chosen.poll() is not None or (lines and lines[-1][0].isdigit()):
                break
            chosen.send_signal(signal.SIGCONT)
            time.sleep(0.002)

        def go_on() -> None:
            with suppress(ProcessLookupError):
                chosen.send_signal(signal.SIGCONT)

        threading.Timer(seconds, go_on).start()

    def stop(self) -> None:
        for process in self.running:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def offer(store: Any, plan: Plan, stop: threading.Event, result: Result) -> None:
    """Append at the planned rate: a few messages an append, half of them ordered by stream."""
    a_call = 5
    started = time.monotonic()
    kinds = random.Random(plan.seed)
    poisoned = {int(plan.rate * plan.seconds * (k + 1) / (plan.poison + 2)) for k in range(plan.poison)}
    while not stop.is_set():
        behind = started + result.offered / plan.rate - time.monotonic()
        if behind > 0:
            time.sleep(behind)
        messages = []
        for n in range(result.offered, result.offered + a_call):
            kind = "poison" if n in poisoned else "broken" if kinds.random() < 0.01 else "plain"
            messages.append(
                OutboxMessage(
                    "t", {"n": n, "kind": kind}, ordered=n % 2 == 0, max_attempts=3 if kind == "poison" else 10
                )
            )
        stream = f"s-{result.offered // a_call % 200}"
        store.append(stream, [NewEvent("Made", 1)], expected_version=ExpectedVersion.ANY, outbox=messages)
        result.offered += a_call


def run(base_url: str, schema: str, plan: Plan) -> Result:
    result = Result()
    chance = random.Random(plan.seed)
    url = f"{base_url}?schema={schema}&min_size=1&max_size=2"
    with tempfile.TemporaryDirectory() as name, open_store(url) as store:
        folder = Path(name)
        store.initialize()
        with psycopg.connect(base_url, autocommit=True) as connection:
            connection.execute(WATCH.replace("{schema}", schema))  # type: ignore[arg-type]
        workers = Workers(url, folder, plan)
        stop = threading.Event()
        offering = threading.Thread(target=offer, args=(store, plan, stop, result))
        try:
            started = time.monotonic()
            offering.start()
            moments = [(plan.seconds * (k + 0.5) / plan.kills, "kill") for k in range(plan.kills)]
            moments += [(plan.seconds * (k + 0.7) / plan.pauses, "pause") for k in range(plan.pauses)]
            for moment, what in sorted(moments):
                while time.monotonic() < started + moment:
                    time.sleep(0.02)
                    workers.replace_dead()
                chosen = chance.choice(
                    [one for one in workers.running if one.poll() is None and one.pid not in workers.paused]
                )
                if what == "kill":
                    workers.kill(chosen)
                    result.kills += 1
                else:
                    workers.pause(chosen, plan.lease * 1.5)
                workers.replace_dead()
            while time.monotonic() < started + plan.seconds:
                time.sleep(0.02)
                workers.replace_dead()
            stop.set()
            offering.join()
            result.seconds = time.monotonic() - started
            deadline = time.monotonic() + plan.drain
            with psycopg.connect(base_url, autocommit=True) as connection:
                left = f"SELECT count(*) FROM \"{schema}\".outbox WHERE status IN ('pending', 'waiting', 'claimed')"
                while connection.execute(left).fetchone() != (0,) and time.monotonic() < deadline:  # type: ignore[call-overload]
                    time.sleep(0.1)
                    workers.replace_dead()
        finally:
            stop.set()
            offering.join()
            workers.stop()
        result.killed_by_message = workers.killed_by_message
        judge(result, store, base_url, schema, folder, workers.broken, plan)
    return result


def judge(result: Result, store: Any, base_url: str, schema: str, folder: Path, broken: set[int], plan: Plan) -> None:
    """Compare what was stored with what the workers say they published."""
    by_number: dict[int, list[int]] = defaultdict(list)
    late: set[int] = set()  # published by a worker that was told afterwards that its lease had passed
    for log in folder.iterdir():
        for line in log.read_text().splitlines():
            first, *rest = line.split()
            if first == "refused":
                result.refused += int(rest[0])
            elif first == "late":
                late.add(int(rest[0]))
            elif first == "unsettled":
                result.unsettled += int(rest[0])
            elif first not in {"ready", "acknowledged"}:
                by_number[int(first)].append(int(log.name))
    result.published = sum(map(len, by_number.values()))
    after, seen = 0, 0
    while page := store.outbox.list(after=after, limit=5000):
        after = page[-1].position
        for message in page:
            seen += 1
            number, kind = message.payload["n"], message.payload["kind"]
            publishers = by_number.get(number, [])
            if kind == "poison":
                result.dead += message.status is MessageStatus.DEAD
                if message.status is not MessageStatus.DEAD or message.attempts != 3:
                    result.wrong.append(f"poison {number} is {message.status.value} after {message.attempts} attempts")
                continue
            if message.status is not MessageStatus.DONE:
                result.wrong.append(f"message {number} is {message.status.value}: {message.last_error}")
                continue
            result.acknowledged += 1
            if not publishers:
                result.wrong.append(f"message {number} is acknowledged, but nobody published it")
            repeats = publishers[:]
            if kind == "broken" and len(repeats) > 1:
                repeats.pop()
            if len(repeats) > 1:
                result.twice += 1
                if broken & set(repeats):
                    continue
                if number in late:
                    result.twice_told_late += 1
                else:
                    result.wrong.append(
                        f"message {number} was published {len(repeats)} times, by {repeats}, none broken"
                    )
    if seen != result.offered:
        result.wrong.append(f"{result.offered} were offered, {seen} are stored")
    with psycopg.connect(base_url) as connection:
        [(late,)] = connection.execute(f'SELECT count(*) FROM "{schema}".late_acknowledgements').fetchall()  # type: ignore[call-overload]
    if plan.pauses and not result.refused:
        result.wrong.append("no acknowledgement was refused, though workers stood still for longer than their lease")
    if late:
        result.wrong.append(f"{late} acknowledgements were taken after their lease")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Plan()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    plan = Plan(**vars(parser.parse_args()))
    with postgres_for_tests() as url:
        schema = f"soak_{os.getpid()}"
        result = run(url, schema, plan)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')  # type: ignore[call-overload]
    print(json.dumps({**vars(plan), **vars(result), "wrong": result.wrong[:20]}))
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
