"""Who follows the feed beside the actors, step by step. The same for both doors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from conformance_tests.histories.driving import Ask, Next, Sleep
from mink_core import EventFilter

if TYPE_CHECKING:
    from conformance_tests.histories.driving import Steps
    from conformance_tests.histories.program import Follower
    from conformance_tests.histories.scribe import Scribe

_LIVE_POLL = 0.005


class Watcher:
    """Follows the feed beside the actors."""

    def __init__(self, number: int, plan: Follower, store: Any, scribe: Scribe, start: int) -> None:
        """Be ready."""
        self.name = f"{'subscriber' if plan.live else 'reader'} {number}"
        self.plan = plan
        self.delivered = 0
        """Events so far."""
        self.subscription: Any = None
        self.writing = True
        """Until told otherwise, more is to come."""
        self._number = number
        self._store = store
        self._scribe = scribe
        self._start = start

    @property
    def stream(self) -> str | None:
        """The only stream it wants."""
        return None if self.plan.stream is None else f"s{self.plan.stream}"

    def steps(self) -> Steps:
        """Follow until there is nothing more to come, or the subscription ends."""
        where = EventFilter() if self.stream is None else EventFilter(stream_ids=(self._scribe.name(self.stream),))
        yield Sleep(self.plan.delay / 1000)
        yield from self._live(where) if self.plan.live else self._polling(where)

    def _polling(self, where: EventFilter) -> Steps:
        scribe, after = self._scribe, self._start
        while True:
            last = not self.writing
            facts = {"after": after, "limit": self.plan.limit, "stream": self.stream}
            begun = scribe.begin(self.name, "poll", facts)
            try:
                page = yield Ask(partial(self._store.poll, after, limit=self.plan.limit, where=where))
            except Exception as error:  # noqa: BLE001 -- written down and judged
                scribe.end(self.name, "poll", begun, facts | scribe.failed(error))
                return
            if not page.events and page.next_position == after:
                scribe.pending.pop(self.name, None)  # most polls at the end of the feed say nothing
                if last:
                    return
                yield Sleep(0.0005)
                continue
            told = {"outcome": "ok", "events": scribe.seen(page.events), "number": page.next_position}
            scribe.end(self.name, "poll", begun, facts | told)
            self.delivered += len(page.events)
            after = page.next_position
            yield Sleep(self.plan.pace / 1000)

    def _live(self, where: EventFilter) -> Steps:
        scribe, after = self._scribe, self._start
        subscription = self._store.subscribe(
            after_position=after, where=where, batch_size=self.plan.limit, poll_interval=_LIVE_POLL
        )
        self.subscription = subscription
        while True:
            facts = {"after": after, "limit": self.plan.limit, "stream": self.stream, "subscription": self._number}
            begun = scribe.begin(self.name, "step", facts)
            try:
                batch = yield Next(subscription)
            except Exception as error:  # noqa: BLE001 -- written down and judged
                scribe.end(self.name, "step", begun, facts | scribe.failed(error))
                return
            if batch is None:
                scribe.pending.pop(self.name, None)
                return
            seen = scribe.seen(batch)
            scribe.end(self.name, "step", begun, facts | {"outcome": "ok", "events": seen})
            self.delivered += len(seen)
            after = seen[-1].position if seen else after
            if self.plan.pace:
                yield Sleep(self.plan.pace / 1000)
