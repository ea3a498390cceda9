"""What a memory store keeps, and what is read of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn, cast
from uuid import uuid4

from mink_core.errors import PositionAheadError, UsageError
from mink_core.events import StoreIdentity
from mink_core.stream_state import UNMARKED
from mink_memory.feed import Feed
from mink_memory.locks import Locks
from mink_memory.records import Tables
from mink_memory.streams import Streams

if TYPE_CHECKING:
    from mink_core.events import StreamInfo
    from mink_core.feed_status import FeedStatus
    from mink_core.runtime.pace import Sleeper
    from mink_memory.drafts import Draft
    from mink_memory.rows import Row

HALF_COPIED = (
    "this process was forked while another thread was in the middle of a call on the memory store, so that its copy of it is "
    "not whole; nothing was done: open another one, under another name, or fork while nobody uses it"
)


class HalfCopied:
    """In the place of a log's lock that a thread had when the process was forked, where nobody would ever let go of it."""

    def acquire(self, *_: object) -> NoReturn:
        """Refuse.

        Raises:
            UsageError: Always.
        """
        raise UsageError(HALF_COPIED)

    def locked(self) -> bool:
        """For good."""
        return True

    def __enter__(self) -> NoReturn:
        """See `acquire`."""
        self.acquire()

    def __exit__(self, *_: object) -> None:
        """Never comes."""


class History:
    """One history: all that is committed, and what open transactions hold. Safe from any thread."""

    def __init__(self, *, unique_event_ids: bool) -> None:
        """Begin an empty history with an identity of its own.

        Args:
            unique_event_ids: Keep an index of event ids, and store each only once.
        """
        self.unique = unique_event_ids
        self._identity = StoreIdentity(uuid4(), 1)
        self._lock = threading.Lock()
        self._streams = Streams(unique=unique_event_ids)
        self._feed = Feed()
        self._locks = Locks()
        self._tables = Tables(self._feed)

    def is_forked(self) -> None:
        """In a process that was forked from this one: refuse all use if another thread was in the middle of a transition."""
        if self._lock.locked():
            self._lock = cast("threading.Lock", HalfCopied())

    def feed_page(self, start: int, end: int) -> list[Row]:
        """The rows at these indexes of the feed, as `feed_bounds` gave them."""
        return self._feed.settled[start:end]

    def feed_bounds(self, after_position: int, identity: StoreIdentity | None) -> tuple[int, int]:
        """Where in the feed the rows above a position begin, and where the feed ends now.

        Raises:
            PositionAheadError: The position or the identity is from another history (FEED-08).
        """
        with self._lock:
            high = self._feed.high
            if identity is not None and identity != self._identity:
                reason = (
                    f"position {after_position} is from store {identity.store}, epoch {identity.epoch}, "
                    f"but this is store {self._identity.store}, epoch {self._identity.epoch}"
                )
                raise PositionAheadError(after_position, high, reason)
            if after_position > high:
                raise PositionAheadError(after_position, high)
            return self._feed.index_after(after_position), len(self._feed.settled)

    def head_position(self) -> int:
        """See `EventLog.head_position`."""
        with self._lock:
            return self._feed.head

    def feed_status(self) -> FeedStatus:
        """See `Subscriber.feed_status`."""
        with self._lock:
            return self._feed.status()

    def add_sleeper(self, sleeper: Sleeper) -> None:
        """Nudge somebody at each event from now on."""
        with self._lock:
            self._feed.join(sleeper)

    def identity(self) -> StoreIdentity:
        """See `Subscriber.identity`."""
        return self._identity

    def bump_epoch(self) -> StoreIdentity:
        """Begin a new epoch: positions saved with the old one are refused from now on."""
        with self._lock:
            self._identity = StoreIdentity(self._identity.store, self._identity.epoch + 1)
            return self._identity

    @property
    def has_holes(self) -> bool:
        """Whether events were purged, so that rows may be holes."""
        return self._feed.has_holes

    def hidden_version(self, stream_id: str) -> int:
        """Events of a stream up to here read as missing; 0 for most."""
        return self._streams.states.get(stream_id, UNMARKED).hidden_version

    def has_erased(self, stream_id: str, version: int) -> bool:
        """See `StreamState.has_erased`; of a stream."""
        return self._streams.states.get(stream_id, UNMARKED).has_erased(version)

    def version(self, stream_id: str, draft: Draft | None) -> int:
        """A stream's version, as the draft's writer sees it; 0 where there is none."""
        with self._lock:
            return self._streams.version(stream_id, draft)

    def span(self, stream_id: str, start: int, end: int, draft: Draft | None) -> list[Row]:
        """A stream's rows of versions above `start`, up to `end`, as the draft's writer sees them."""
        with self._lock:
            return self._streams.span(stream_id, start, end, draft)

    def stream_info(self, stream_id: str, draft: Draft | None) -> StreamInfo:
        """See `EventLog.stream_info`."""
        with self._lock:
            return self._streams.info(stream_id, draft)

    def stream_page(self, category: str | None, after: str, limit: int, draft: Draft | None) -> list[StreamInfo]:
        """See `EventLog.streams`."""
        with self._lock:
            return self._streams.page(category, after, limit, draft)
