"""What the sync and the async relay have in common: no I/O."""

from __future__ import annotations

import os
import socket
import time
from math import inf
from typing import TYPE_CHECKING

import msgspec

from mink_core.backoff import Backoff
from mink_core.errors import UsageError
from mink_core.errors.root import words_of
from mink_core.limits import MAX_CALL_EVENTS, MAX_SECONDS, MAX_WORKER_NAME, check_between, check_seconds, check_text
from mink_core.outbox import LEASE, Verdict
from mink_core.publishers.base import PublishError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mink_core.outbox import ClaimedMessage

SAFE_SHARE = 0.8
"""Nothing is published after this share of a lease, so that what is published can still be acknowledged."""
PURGE_EVERY = 60.0
SETTLE_AGAIN = Backoff(0.1, most=1.0)
"""Between the tries of an acknowledgement that the storage did not take."""


class RelayCounts(msgspec.Struct):
    """What a relay has done since it was made."""

    claimed: int = 0
    published: int = 0
    """Published and acknowledged."""
    failed: int = 0
    untried: int = 0
    """Given back: the relay was stopped, or the lease came near its end."""
    refused: int = 0
    """Acknowledgements that came too late, or not at all while the lease lasted: published, maybe, by somebody else
    as well."""
    purged: int = 0


class RelayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Keywords of `OutboxRelay` and `AsyncOutboxRelay`."""

    worker: str = ""
    """Who claims; host and process when not given."""
    batch_size: int = 100
    """Messages claimed at a time."""
    publish_size: int = 10
    """Messages given to the publisher at a time."""
    lease: float = LEASE
    """Seconds that a claim lasts: well above what a publisher needs for `publish_size` messages."""
    poll_interval: float = 0.2
    """Seconds between claims when nothing is due."""
    backoff: Backoff = Backoff()
    """Between the attempts of a message, and after a storage failure."""
    retention: float | None = None
    """Seconds that done messages are kept; older ones are purged now and then. None: never."""

    def checked(self) -> RelayOptions:
        """The options with a worker's name.

        Raises:
            UsageError: One is wrong.
        """
        worker = self.worker or f"{socket.gethostname()[:100]}:{os.getpid()}"
        check_text(worker, "worker", MAX_WORKER_NAME)
        check_between(self.batch_size, "batch_size", 1, MAX_CALL_EVENTS)
        check_between(self.publish_size, "publish_size", 1, MAX_CALL_EVENTS)
        check_seconds(self.lease, "lease")
        check_seconds(self.poll_interval, "poll_interval")
        if self.retention is not None:
            check_seconds(self.retention, "retention", zero=True)
        if not isinstance(self.backoff, Backoff):
            msg = f"backoff must be a Backoff, not {type(self.backoff).__name__}"
            raise UsageError(msg)
        return msgspec.structs.replace(self, worker=worker)


class Batch:
    """One claim on its way: what is left to publish, and what is left to acknowledge."""

    def __init__(self, options: RelayOptions, claimed_before: float) -> None:
        """Begin; `claimed_before` is `time.monotonic()` from before the claim was sent, so the lease ends later."""
        self._options = options
        self._deadline = claimed_before + options.lease * SAFE_SHARE
        self._end = claimed_before + options.lease
        self._settled_at = claimed_before
        self.verdicts: list[Verdict] = []

    def chunks(self, messages: Sequence[ClaimedMessage]) -> Iterator[Sequence[ClaimedMessage]]:
        """So many as are published together; a suspect one, which may end the process, alone and last."""
        safe = [message for message in messages if not message.suspect]
        for start in range(0, len(safe), self._options.publish_size):
            yield safe[start : start + self._options.publish_size]
        for message in messages:
            if message.suspect:
                yield [message]

    def must_settle(self, chunk: Sequence[ClaimedMessage]) -> bool:
        """Whether to acknowledge before this chunk: it may end the process, or time is passing."""
        late = time.monotonic() - self._settled_at > self._options.lease / 4
        return bool(self.verdicts) and (late or chunk[0].suspect)

    def is_over(self) -> bool:
        """Whether to publish nothing more under this lease."""
        return time.monotonic() >= self._deadline

    def is_lost(self) -> bool:
        """Whether the lease has passed for sure."""
        return time.monotonic() >= self._end

    def leave(self, messages: Sequence[ClaimedMessage]) -> None:
        """Give messages back untried."""
        self.verdicts += [Verdict(message, untried=True) for message in messages]

    def judge(self, messages: Sequence[ClaimedMessage], outcomes: Sequence[Exception | None] | Exception) -> None:
        """Note what the publisher returned, or raised."""
        if isinstance(outcomes, Exception):
            outcomes = [outcomes] * len(messages)
        elif len(outcomes) != len(messages):
            error = TypeError(f"the publisher gave {len(outcomes)} outcomes for {len(messages)} messages")
            outcomes = [error] * len(messages)
        # All at once: what a publisher gives may raise as it is looked at, and a message must have one verdict.
        self.verdicts += [self._verdict(message, outcome) for message, outcome in zip(messages, outcomes, strict=True)]

    def _verdict(self, message: ClaimedMessage, outcome: Exception | None) -> Verdict:
        if outcome is None:
            return Verdict(message)
        give_up = isinstance(outcome, PublishError) and outcome.give_up
        said = words_of(outcome)
        error = f"{type(outcome).__name__}: {said}" if said else type(outcome).__name__
        return Verdict(message, error, self._wait_after(message, outcome), give_up)

    def _wait_after(self, message: ClaimedMessage, outcome: Exception) -> float:
        """Always one that `settle` takes: else one message would keep the whole batch unacknowledged."""
        wait: object = outcome.retry_in if isinstance(outcome, PublishError) else None
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not -inf < wait < inf:
            wait = self._options.backoff.delay(message.attempts)
        return float(min(max(wait, 0), MAX_SECONDS))

    def lost(self, counts: RelayCounts) -> None:
        """Count what could not be acknowledged while the lease lasted."""
        for verdict in self.verdicts:
            if verdict.untried:
                counts.untried += 1
            else:
                counts.refused += 1

    def settled(self, counts: RelayCounts, refused: Sequence[ClaimedMessage]) -> None:
        """Count what was acknowledged, and forget it."""
        late = {(message.position, message.token) for message in refused}
        for verdict in self.verdicts:
            if (verdict.message.position, verdict.message.token) in late:
                counts.refused += 1
            elif verdict.untried:
                counts.untried += 1
            elif verdict.error is None:
                counts.published += 1
            else:
                counts.failed += 1
        self.verdicts = []
        self._settled_at = time.monotonic()
