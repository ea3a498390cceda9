"""The primary is killed under load, again and again; what came of it is judged."""

from __future__ import annotations

import time
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from mink_benchmarks.failover.readers import AsyncReader, DurableReader
from mink_benchmarks.faults.judging import Verdict, judge
from mink_benchmarks.faults.ledger import Ledger, call_of
from mink_benchmarks.faults.load import Load
from mink_core import PositionAheadError, StoreIdentity, TransientStorageError
from mink_core.limits import MAX_CALL_EVENTS
from mink_postgres import PostgresEventStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from mink_benchmarks.failover.cluster import Cluster, Node
    from mink_benchmarks.faults.load import Reader
    from mink_core import EventStore

WRITERS = 8
"""Threads, and as many tasks."""
_STEADY = 3.0
"""Seconds of undisturbed load before each kill."""
_PATIENCE = 90.0
SERVER, NODE = "server killed", "node lost"


class Strike(NamedTuple):
    """One failover."""

    kind: str
    gap: float
    """Seconds between two acknowledgements around it."""
    read_gap: float
    """Seconds until the live reader was given an event again."""
    promoted: str


class Drill(NamedTuple):
    """What a run showed."""

    strikes: tuple[Strike, ...]
    verdict: Verdict
    told: str = ""
    """What readers were told where events were lost."""

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return self.verdict.passed


def synchronous(cluster: Cluster, seconds: float, say: Callable[[str], None], *, writers: int = WRITERS) -> Drill:
    """Kill the primary for so long, at least once, where a commit waits for a standby: nothing may be lost."""
    ledger, load, readers = _begin(cluster, writers)
    try:
        return _judged(cluster, seconds, say, ledger, load, readers)
    finally:
        _end(load, readers)


def _judged(
    cluster: Cluster,
    seconds: float,
    say: Callable[[str], None],
    ledger: Ledger,
    load: Load,
    readers: tuple[AsyncReader, DurableReader],
) -> Drill:
    strikes: list[Strike] = []
    kinds, end = cycle((SERVER, NODE)), time.monotonic() + seconds
    while not strikes or time.monotonic() < end:
        time.sleep(_STEADY)
        strikes.append(_strike(cluster, next(kinds), ledger, load.reader))
        say(f"{strikes[-1].kind}: no acknowledgement for {strikes[-1].gap:.1f} s, then by {strikes[-1].promoted}")
    load.stop()
    verdict = judge(("failover", len(strikes)), cluster.url(), ledger, load.reader)
    problems = list(verdict.problems)
    for reader in readers:
        reader.catch_up(verdict.stored, 30.0)
        if reader.given != load.reader.given:
            missing = len(set(load.reader.given) - set(reader.given))
            problems.append(f"the reader '{reader.name}' was given {len(reader.given)} events, {missing} missing")
        if reader.positions != sorted(reader.positions):
            problems.append(f"the reader '{reader.name}' was given events out of order")
    longest = max(it.gap for it in strikes)
    return Drill(tuple(strikes), verdict._replace(problems=tuple(problems), longest_outage=longest))


def asynchronous(cluster: Cluster, say: Callable[[str], None]) -> Drill:
    """Lose the primary with what it had not sent on yet: readers must be told (FEED-08), before and after `--bump`."""
    ledger, load, readers = _begin(cluster, WRITERS)
    try:
        return _told(cluster, say, ledger, load, readers)
    finally:
        _end(load, readers)


def _told(
    cluster: Cluster,
    say: Callable[[str], None],
    ledger: Ledger,
    load: Load,
    readers: tuple[AsyncReader, DurableReader],
) -> Drill:
    with PostgresEventStore(cluster.url(), min_size=1) as store:
        saved = store.identity()
    time.sleep(_STEADY)
    node = cluster.leader()
    node.freeze_replication()
    time.sleep(1.0)
    node.kill()
    load.stop()
    say("the primary is gone, with a second of appends that no standby has")
    cluster.wait(lambda members: _promoted(members, node), "no standby was promoted")
    cluster.wait_writable()
    with PostgresEventStore(cluster.url(), min_size=1) as store:
        stored = [event.event_id for event in store.read_all()]
        lost = len(ledger.acknowledged - set(stored))
        high = store.feed_status().high
        followed = {"psycopg": load.reader.positions} | {it.name: it.positions for it in readers}
        kept = {name: max(positions, default=0) for name, positions in followed.items()}
        first = {name for name, position in kept.items() if _is_told(store, position, saved)}
        # New events take the positions of those that are lost: by number, nobody is ahead any more.
        take_positions(store, max(1, max(kept.values()) - high))
        later = {name for name, position in kept.items() if _is_told(store, position, saved)}
        store.bump_epoch()
        then = {name for name, position in kept.items() if _is_told(store, position, saved)}
    ahead = {name for name, position in kept.items() if position > high}
    problems = [] if lost else ["nothing was lost, so nothing was tried"]
    if first != ahead:
        problems.append(f"ahead of all positions were {sorted(ahead)}, but told were {sorted(first)}")
    if later:
        problems.append(f"nobody was ahead any more, but told were {sorted(later)}")
    if then != set(kept):
        problems.append(f"the epoch was raised, but told were only {sorted(then)}")
    told = (
        f"{lost} of {len(ledger.acknowledged)} acknowledged events were lost; readers stood at {sorted(kept.values())}, "
        f"the new primary's sequence at {high}. PositionAheadError: for {len(first)} of {len(kept)} at once, for "
        f"{len(later)} when new events had taken those positions, for {len(then)} after `mink epoch --bump`"
    )
    duplicated = len(stored) - len(set(stored))
    counts = (1, len(ledger.acknowledged), len(stored), lost, duplicated, 0.0)
    # Loss is what is shown here: the verdict is about what readers were told.
    return Drill((), Verdict("asynchronous failover", *counts, tuple(problems)), told)


def _begin(cluster: Cluster, writers: int) -> tuple[Ledger, Load, tuple[AsyncReader, DurableReader]]:
    url = cluster.url(connect_timeout="2")
    with PostgresEventStore(url, min_size=1) as store:
        store.initialize()
    ledger = Ledger()
    load = Load(url, url, ledger, shared=False, writers=writers)
    readers = (AsyncReader(url, ledger), DurableReader(url, ledger))
    load.start()
    for reader in readers:
        reader.start()
    return ledger, load, readers


def _end(load: Load, readers: tuple[AsyncReader, DurableReader]) -> None:
    """Let nothing go on, whatever came of it. What has ended already stays so."""
    load.stop()
    for reader in (load.reader, *readers):
        reader.catch_up(0, 0.0)


def _strike(cluster: Cluster, kind: str, ledger: Ledger, reader: Reader) -> Strike:
    node = cluster.leader()
    ledger.take_outage()
    began = time.monotonic()
    if kind == NODE:
        node.kill()
    else:
        node.kill_server()
    cluster.wait(lambda members: _promoted(members, node), "no standby was promoted")
    acknowledged, given = len(ledger.acknowledged), len(reader.given)
    end = time.monotonic() + _PATIENCE
    while len(ledger.acknowledged) == acknowledged and time.monotonic() < end:
        time.sleep(0.01)
    gap = ledger.take_outage()
    while len(reader.given) == given and time.monotonic() < end:
        time.sleep(0.01)
    read_gap = time.monotonic() - began
    if time.monotonic() >= end:
        ledger.surprise(f"no writes or reads for {_PATIENCE:.0f} s after a standby was promoted")
    promoted = cluster.leader().name
    if kind == NODE:
        cluster.start(node)
    cluster.wait_whole()
    return Strike(kind, gap, read_gap, promoted)


def _promoted(members: list[dict[str, Any]], gone: Node) -> bool:
    return any(it["role"] == "leader" and it.get("state") == "running" and it["name"] != gone.name for it in members)


def take_positions(store: EventStore, count: int) -> None:
    """Append so many events, by as many calls as that takes: a fast machine loses more in a second than one call holds."""
    for start in range(0, count, MAX_CALL_EVENTS):
        store.append("after-1", call_of(min(MAX_CALL_EVENTS, count - start)), expected_version=start)


def _is_told(store: PostgresEventStore, position: int, saved: StoreIdentity) -> bool:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            store.poll(position, identity=saved)
        except PositionAheadError:
            return True
        except TransientStorageError:
            # No answer is not the answer that nothing is wrong.
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return False
