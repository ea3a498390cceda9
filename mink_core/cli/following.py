"""Printing events as a durable subscription does: what was printed is not printed again."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from mink_core.cli.redaction import redact
from mink_core.handling import NextStep

if TYPE_CHECKING:
    from mink_core import EventFilter, Store, StoredEvent, SubscriptionFailure
    from mink_core.cli.output import Printer
    from mink_core.cli.session import Session


class DurableTail:
    """Prints until it is interrupted, its reader has gone, or so many events were printed."""

    def __init__(self, session: Session, printer: Printer[StoredEvent], limit: int | None) -> None:
        """Print nothing yet."""
        self._session = session
        self._printer = printer
        self._left = limit
        self._lock = threading.Lock()
        self._gone: BrokenPipeError | None = None

    def run(self, store: Store, name: str, *, after: int | None, where: EventFilter, poll_interval: float) -> None:
        """Follow until the end."""
        if self._left == 0:
            return
        known = next((status for status in store.subscriptions.list() if status.name == name), None)
        self._worker = store.subscription(
            name,
            self._print,
            where=where,
            after_position=after,
            partitions=1 if known is None else len(known.partitions),
            poll_interval=poll_interval,
            on_error=self._tell,
        )
        self._worker.run()
        if self._gone is not None:
            raise self._gone

    def _print(self, event: StoredEvent) -> None:
        with self._lock:
            if self._left == 0:
                raise InterruptedError  # of another partition, after the last: it comes again
            try:
                self._printer.batch([event])
            except BrokenPipeError as error:
                self._gone = error
                self._worker.stop()
                raise  # so it does not count as printed
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    self._worker.stop()

    def _tell(self, failure: SubscriptionFailure) -> None:
        if failure.next_step is NextStep.RECONNECT:
            said = redact(str(failure.error), self._session.url)
            sys.stderr.write(f"mink: {said}; trying again in {failure.wait:.1f} s\n")
            sys.stderr.flush()
