"""A sync store whose calls are recorded; everything else is the store's own."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, cast

from mink_core.runtime.updating import Updating
from mink_core.telemetry.uncommitted import Uncommitted
from mink_core.unawaited import check_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StreamAppend
    from mink_core.expected import Expected
    from mink_core.telemetry.signals import Signals


class _Recorded:
    """The calls that a store and a transaction have in common."""

    def __init__(self, inner: Any, signals: Signals) -> None:
        """Pass calls on to `inner`."""
        self._inner = inner
        self._signals = signals

    def __getattr__(self, name: str) -> Any:
        """What is not recorded is the store's own."""
        return getattr(self._inner, name)

    def _stored(self, count: int) -> None:
        self._signals.appended(count)

    def append(
        self, stream_id: str, events: Iterable[NewEvent], *, expected_version: Expected, **options: Any
    ) -> AppendResult:
        """See `mink_core.EventLog.append`."""
        began = perf_counter()
        if self._signals.is_silent(began):
            # As a silent `operation`, without what that costs a call.
            try:
                return cast(
                    "AppendResult",
                    self._inner.append(stream_id, events, expected_version=expected_version, **options),
                )
            except Exception as error:
                self._signals.log_failure("append", error, perf_counter() - began, {"stream_id": str(stream_id)})
                raise
        with self._signals.operation("append", stream_id=str(stream_id)):
            result: AppendResult = self._inner.append(stream_id, events, expected_version=expected_version, **options)
        self._stored(len(result.event_ids))
        return result

    def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `mink_core.EventLog.append_batch`."""
        given = list(items)
        with self._signals.operation("append_batch", streams=len(given)):
            results: list[AppendResult] = self._inner.append_batch(given)
        self._stored(sum(len(result.event_ids) for result in results))
        return results

    def poll(self, after_position: int, **options: Any) -> Page:
        """See `mink_core.EventLog.poll`."""
        began = perf_counter()
        if self._signals.is_silent(began):
            try:
                return cast("Page", self._inner.poll(after_position, **options))
            except Exception as error:
                self._signals.log_failure("poll", error, perf_counter() - began, {})
                raise
        with self._signals.operation("poll"):
            page: Page = self._inner.poll(after_position, **options)
        self._signals.read(len(page.events))
        return page

    def read_stream(self, stream_id: str, **options: Any) -> Iterator[StoredEvent]:
        """See `mink_core.EventLog.read_stream`. Recorded from the first event taken to the last."""
        # Called here, so that a wrong argument is told by the call.
        return self._events("read_stream", self._inner.read_stream(stream_id, **options), stream_id=stream_id)

    def read_all(self, **options: Any) -> Iterator[StoredEvent]:
        """See `mink_core.EventLog.read_all`. Recorded from the first event taken to the last."""
        return self._events("read_all", self._inner.read_all(**options))

    def _events(self, name: str, events: Iterator[StoredEvent], **about: Any) -> Iterator[StoredEvent]:
        if self._signals.silent:
            with self._signals.operation(name, current=False, **about):
                yield from events
            return
        count = 0
        try:
            with self._signals.operation(name, current=False, **about):
                for event in events:
                    count += 1
                    yield event
        finally:
            self._signals.read(count)


class _RecordedTransaction(Uncommitted, _Recorded):
    """The calls of a transaction."""


class InstrumentedStore(_Recorded, Updating):
    """See `mink_core.telemetry.instrument`. `update` goes through the recorded reads and appends."""

    @contextmanager
    def transaction(self) -> Generator[Any]:
        """See `mink_core.EventStore.transaction`."""
        with self._signals.operation("transaction"), self._inner.transaction() as transaction:
            recorded = _RecordedTransaction(transaction, self._signals)
            yield recorded
        self._signals.appended(recorded.count)

    def bind(self, connection: Any) -> Any:
        """See `mink_core.EventStore.bind`. What it appends is not counted, as its commit is the caller's."""
        return _RecordedTransaction(self._inner.bind(connection), self._signals)

    def subscription(self, name: str, handler: Callable[..., Any], **options: Any) -> Any:
        """See `mink_core.Store.subscription`; each delivery is recorded, with a transactional handler's calls in it.

        What such a handler appends is not counted: its commit is not seen from here.
        """
        check_plain(handler, "a sync store's handler")

        def recorded(event: StoredEvent, *rest: Any) -> Any:
            with self._signals.delivery(name, event):
                return handler(event, *(_RecordedTransaction(it, self._signals) for it in rest))

        return self._inner.subscription(name, recorded, **options)

    def __enter__(self) -> Self:
        """Open the store."""
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._inner.__exit__(*error)
