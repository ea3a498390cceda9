"""`mink tail`."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from mink_core import StoredEvent, Subscription, TransientStorageError
from mink_core.cli.following import DurableTail
from mink_core.cli.output import BATCH, Printer
from mink_core.cli.redaction import redact
from mink_core.cli.session import Session
from mink_core.cli.views import EVENTS
from mink_core.cli.where import Categories, Metadata, Streams, Types, build_filter
from mink_core.errors import UsageError
from mink_core.runtime.settings import POLL_INTERVAL

EXAMPLES = """\
Examples:
  mink tail
  mink tail --after 0 --category order
  mink tail --limit 1 --json | jq .data
  mink tail --subscription audit --after 0 --json >> audit.jsonl
"""

_SHORTEST_WAIT, _LONGEST_WAIT = 0.2, 5.0


def tail(
    session: Session,
    *,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="N", min=0, help="Begin above this position; 0: with all.", show_default=False),
    ] = None,
    from_now: Annotated[bool, typer.Option("--from-now", help="Begin at the feed's head (the default).")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, help="Stop after so many.", show_default=False)
    ] = None,
    categories: Categories = None,
    types: Types = None,
    streams: Streams = None,
    metadata: Metadata = None,
    subscription: Annotated[
        str | None,
        typer.Option(
            "--subscription",
            metavar="NAME",
            help="As this durable subscription: what was printed is not printed again.",
            show_default=False,
        ),
    ] = None,
    poll_interval: Annotated[
        float, typer.Option("--poll-interval", metavar="SECONDS", help="How often to look for new events.")
    ] = POLL_INTERVAL,
) -> None:
    """Print events as they come, until Ctrl-C.

    Ctrl-C is how it is meant to end: the exit code is 0 then. A storage that fails for the moment
    is tried again from where the feed was left, and stderr says so. As a durable subscription it
    goes on after its checkpoint, wherever it begins the first time; see mink subscriptions.
    """
    if from_now and after is not None:
        msg = "--after and --from-now contradict each other"
        raise UsageError(msg)
    where = build_filter(categories=categories, types=types, streams=streams, metadata=metadata)
    printer = Printer(session, EVENTS)
    try:
        with session.open() as opened:
            # Asked in any case: a store that is not reached at the start is no passing fault.
            head = opened.head_position()
            if subscription is not None:
                durable = DurableTail(session, printer, limit)
                durable.run(opened, subscription, after=after, where=where, poll_interval=poll_interval)
                return
            start = head if after is None else after
            with opened.subscribe(
                after_position=start, where=where, batch_size=BATCH, poll_interval=poll_interval
            ) as live:
                for batch in _up_to(limit, _persistently(live, session)):
                    printer.batch(batch)
    except KeyboardInterrupt:
        return


def _persistently(subscription: Subscription, session: Session) -> Iterator[Sequence[StoredEvent]]:
    wait = _SHORTEST_WAIT
    while True:
        try:
            batch = next(subscription, None)
        except TransientStorageError as error:
            sys.stderr.write(f"mink: {redact(str(error), session.url)}; trying again in {wait:.1f} s\n")
            sys.stderr.flush()
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            continue
        if batch is None:
            return
        wait = _SHORTEST_WAIT
        yield batch


def _up_to(limit: int | None, found: Iterator[Sequence[StoredEvent]]) -> Iterator[Sequence[StoredEvent]]:
    left = limit
    while left is None or left > 0:
        batch = next(found, None)
        if batch is None:
            return
        if left is not None:
            batch = batch[:left]
            left -= len(batch)
        yield batch
