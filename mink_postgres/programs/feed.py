"""The feed: look how far it is settled, then read up to there.

The look and the read are two statements on purpose. In one, the snapshot would be older than the
look at the locks, and an append that ends in between would be neither seen nor held back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mink_core.direction import Direction
from mink_core.errors import PositionAheadError, StorageError, UsageError
from mink_core.events import Page, StoredEvent, StoreIdentity
from mink_core.feed_status import FeedStatus
from mink_postgres.conditions import conditions
from mink_postgres.programs.reading import Reader
from mink_postgres.query import Program, Query
from mink_postgres.rows import POSITION, feed_holder, incoming, stored_events

if TYPE_CHECKING:
    from mink_core.filters import EventFilter
    from mink_postgres.context import Context
    from mink_postgres.query import Rows

SCAN = 10_000
"""Events that one filtered query looks at: a sparse filter moves on in bounded steps."""

_REFUSALS = {
    "isolation": (
        UsageError,
        (
            "the feed cannot be read in a REPEATABLE READ or SERIALIZABLE transaction: its snapshot is older than the "
            "look at who is still writing; read it in a transaction at READ COMMITTED, or outside of one"
        ),
    ),
    "standby": (
        StorageError,
        (
            "the feed cannot be read on a standby, which does not see who is still writing on the primary: "
            "connect to the primary (target_session_attrs=read-write)"
        ),
    ),
    "privilege": (
        StorageError,
        (
            "the database role may not read the sequence of global_position, so the feed's end is unknown: "
            "GRANT SELECT on events_global_position_seq"
        ),
    ),
}


class _Look(NamedTuple):
    mark: int
    high: int
    identity: StoreIdentity
    times_forgotten: int
    """Of the settled mark, before the look."""


class _Scan(NamedTuple):
    """One bounded stretch of the feed."""

    rows: Rows
    end: int
    """How far it was scanned; the start where there was nothing."""
    exhausted: bool
    """Whether nothing is left between `end` and the bound."""


def _look(context: Context, position: int, identity: StoreIdentity | None) -> Program[_Look]:
    """Look at the feed's end, and refuse a reader from another history (FEED-08)."""
    times_forgotten = context.settled.times_forgotten
    rows = yield Query(context.sql.feed_mark)
    mark, high, store, epoch, refusal = rows[0]
    if refusal is not None:
        kind, message = _REFUSALS[refusal]
        raise kind(message)
    found = StoreIdentity(store, epoch)
    if identity is not None and identity != found:
        why = (
            f"the position was saved with epoch {identity.epoch} of this store, which is at epoch {epoch} now"
            if identity.store == store
            else f"the position was saved with store {identity.store}, but this is store {store}"
        )
        raise PositionAheadError(position, high, why)
    if position > high:
        raise PositionAheadError(position, high)
    return _Look(mark, high, found, times_forgotten)


def _settle(context: Context, look: _Look, scan: _Scan) -> Program[int]:
    """Remember how far all is settled for good, once a scan after a look has found something.

    Returns:
        The newest event's position at or below the mark.
    """
    # Not the mark: there may be no event at it, and it may then be given out again after a crash.
    newest = scan.end if scan.exhausted else (yield from _newest(context, look.mark))
    context.settled.saw(newest, look.identity, look.times_forgotten)
    return newest


def _scan(  # noqa: PLR0913 -- a stretch has two ends, a size, a filter and a direction
    context: Context, low: int, high: int, limit: int, where: EventFilter, *, backward: bool = False
) -> Program[_Scan]:
    """Read at most `limit` events above `low`, up to `high`; with a filter, at most `SCAN` are looked at."""
    start = high if backward else low
    if where.is_empty:
        rows = yield Query(context.sql.read_feed("", backward=backward), (low, high, limit))
        end = rows[-1][POSITION] if rows else start
        return _Scan(rows, end, exhausted=len(rows) < limit)
    # Everything up to `high` is settled, so two statements see the same set.
    (edge, seen), *_ = yield Query(context.sql.scan_end(backward=backward), (low, high, SCAN))
    if not seen:
        return _Scan((), start, exhausted=True)
    clause, args = conditions(where)
    bounds = (edge - 1, high) if backward else (low, edge)
    rows = yield Query(context.sql.read_feed(clause, backward=backward), (*bounds, limit, *args))
    if len(rows) == limit:
        return _Scan(rows, rows[-1][POSITION], exhausted=False)
    return _Scan(rows, edge, exhausted=seen < SCAN)


def poll(context: Context, after: int, limit: int, where: EventFilter, identity: StoreIdentity | None) -> Program[Page]:
    """One page of the feed. Only the head of the log pays for a look."""
    if limit == 0:
        yield from _look(context, after, identity)
        return Page([], after)
    events: list[StoredEvent] = []
    position = after
    settled, history = context.settled.known()
    if settled > after and identity in (None, history):
        known = yield from _scan(context, after, settled, limit, where)
        events, position = stored_events(known.rows, context.transforms), known.end
        if not known.exhausted:
            return Page(events, position)
    look = yield from _look(context, position, identity)
    if look.mark > position:
        fresh = yield from _scan(context, position, look.mark, limit - len(events), where)
        if fresh.end > position and context.settled.lasts:
            yield from _settle(context, look, fresh)
        events += stored_events(fresh.rows, context.transforms)
        position = fresh.end
    return Page(events, position)


class FeedReader(Reader[StoredEvent]):
    """The feed up to a mark taken by the first page."""

    def __init__(  # noqa: PLR0913, PLR0917 -- the arguments of `read_all`
        self,
        context: Context,
        after: int,
        limit: int | None,
        where: EventFilter,
        direction: Direction,
        identity: StoreIdentity | None,
    ) -> None:
        """Start at `after`, or at the mark."""
        super().__init__(context, limit)
        self.readable = incoming(context.transforms)
        self._low = after
        self._high: int | None = None
        self._where = where
        self._backward = direction is Direction.BACKWARD
        self._identity = identity
        self._done = False  # a read of none looks as well: who comes from another history is told (FEED-08)
        self.looks = True

    def items(self, rows: Rows) -> list[StoredEvent]:
        """The events of a page, as they are stored."""
        return stored_events(rows, ())

    def _page(self) -> Program[Rows]:
        look: _Look | None = None
        if self._high is None:
            look = yield from _look(self._context, self._low, self._identity)
            self._high = look.mark
        size = self._size()
        if not size:
            self._done = True
            return ()
        scan = yield from _scan(self._context, self._low, self._high, size, self._where, backward=self._backward)
        if self._backward:
            self._high = scan.end - 1
        else:
            self._low = scan.end
        self._took(len(scan.rows), len(scan.rows))
        self._done = self._done or scan.exhausted
        if look is not None:
            self.looks = False
            if not self._backward and not self._done:
                # Later pages may come from a server that crashed meanwhile: up to an event, all is settled even so.
                self._high = yield from _settle(self._context, look, scan)
        return scan.rows


def head_position(context: Context) -> Program[int]:
    """The newest event that the feed shows."""
    look = yield from _look(context, 0, None)
    return (yield from _newest(context, look.mark))


def _newest(context: Context, mark: int) -> Program[int]:
    rows = yield Query(context.sql.head_position, (mark,))
    return rows[0][0] if rows else 0


def identity(context: Context) -> Program[StoreIdentity]:
    """Which history this is."""
    return (yield from _look(context, 0, None)).identity


def bump_epoch(context: Context) -> Program[StoreIdentity]:
    """Raise the epoch: readers that kept the old one are told, none goes on in silence."""
    rows = yield Query(context.sql.bump_epoch, retry_is_safe=True)
    context.settled.forget()
    return StoreIdentity(*rows[0])


def feed_status(context: Context) -> Program[FeedStatus]:
    """How far the feed is, and who holds it back."""
    look = yield from _look(context, 0, None)
    holders = yield Query(context.sql.feed_holders, (look.high,))
    newest = yield from _newest(context, look.mark)
    return FeedStatus(newest, look.mark, look.high, tuple(feed_holder(row) for row in holders))
