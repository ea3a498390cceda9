"""After a fault: is everything that was acknowledged there, once, and did the reader get all of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mink_core import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mink_benchmarks.faults.ledger import Ledger
    from mink_benchmarks.faults.load import Reader
    from mink_core import StoredEvent


class Verdict(NamedTuple):
    """One row of the report."""

    fault: str
    times: int
    acknowledged: int
    stored: int
    lost: int
    duplicated: int
    longest_outage: float
    problems: tuple[str, ...] = ()
    """What is wrong, in words; empty where all is well."""
    not_run: str = ""
    """Why the fault could not be inflicted here; such a row counts as nothing."""
    refusals: str = ""
    """What calls were answered with before they were acknowledged."""

    @property
    def passed(self) -> bool:
        """Whether it was inflicted and nothing is wrong."""
        return not self.not_run and not self.problems and not self.lost and not self.duplicated and self.times > 0


def judge(struck: tuple[str, int], url: str, ledger: Ledger, reader: Reader, *, seconds: float = 30.0) -> Verdict:
    """Compare the ledger, the store, and what the reader was given.

    Args:
        struck: Which fault, and how often.
        url: The store.
        ledger: What was acknowledged.
        reader: Who followed the feed.
        seconds: How long it may take to catch up.
    """
    with open_store(url) as store:
        stored = list(store.read_all())
        problems = [f"check: {it.subject}: {it.problem}" for it in store.check()]
    reader.catch_up(len(stored), seconds)
    ids = [event.event_id for event in stored]
    problems += ledger.surprises
    problems += _wrong(stored)
    if reader.given != ids:
        missing, more = len(set(ids) - set(reader.given)), len(reader.given) - len(set(reader.given))
        problems.append(f"the reader was given {len(reader.given)} events, {missing} missing, {more} repeated")
    if reader.positions != sorted(reader.positions):
        problems.append("the reader was given events out of order")
    if not ledger.acknowledged:
        problems.append("nothing was acknowledged, so nothing was tried")
    return Verdict(
        *struck,
        len(ledger.acknowledged),
        len(stored),
        len(ledger.acknowledged - set(ids)),
        len(ids) - len(set(ids)),
        ledger.longest_outage,
        tuple(problems[:5]),
        refusals=", ".join(f"{count} {name}" for name, count in ledger.refusals.most_common()),
    )


def _wrong(stored: list[StoredEvent]) -> Iterator[str]:
    """Calls that are there in part; versions and timestamps that are not in order."""
    calls = Counter(event.metadata["call"] for event in stored if "call" in event.metadata)
    sizes = {event.metadata["call"]: event.metadata["size"] for event in stored if "call" in event.metadata}
    if torn := sum(calls[call] % sizes[call] != 0 for call in calls):
        yield f"{torn} calls are stored in part"
    newest: dict[str, StoredEvent] = {}
    for event in stored:
        before = newest.get(event.stream_id)
        if event.version != (before.version if before else 0) + 1:
            yield f"stream {event.stream_id} goes on with version {event.version}"
        if before and event.timestamp < before.timestamp:
            yield f"time goes back in stream {event.stream_id}"
        newest[event.stream_id] = event
