"""`InstrumentedStore` for asyncio."""

from __future__ import annotations

from contextlib import asynccontextmanager
from inspect import isawaitable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, cast

from mink_core.runtime.updating import AsyncUpdating
from mink_core.telemetry.uncommitted import Uncommitted
from mink_core.unawaited import check_ran, check_runs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from mink_core.events import AppendResult, NewEvent, Page, StoredEvent, StreamAppend
    from mink_core.expected import Expected
    from mink_core.telemetry.signals import Signals


class _Recorded:
    """See `instrumented._Recorded`."""

    def __init__(self, inner: Any, signals: Signals) -> None:
        """Pass calls on to `inner`."""
        self._inner = inner
        self._signals = signals

    def __getattr__(self, name: str) -> Any:
        """What is not recorded is the store's own."""
        return getattr(self._inner, name)

    def _stored(self, count: int) -> None:
        self._signals.appended(count)

    async def append(
        self, stream_id: str, events: Iterable[NewEvent], *, expected_version: Expected, **options: Any
    ) -> AppendResult:
        """See `mink_core.EventLog.append`."""
        began = perf_counter()
        if self._signals.is_silent(began):
            # As a silent `operation`, without what that costs a call.
            try:
                return cast(
                    "AppendResult",
                    await self._inner.append(stream_id, events, expected_version=expected_version, **options),
                )
            except Exception as error:
                self._signals.log_failure("append", error, perf_counter() - began, {"stream_id": str(stream_id)})
                raise
        with self._signals.operation("append", stream_id=str(stream_id)):
            result: AppendResult = await self._inner.append(
                stream_id, events, expected_version=expected_version, **options
            )
        self._stored(len(result.event_ids))
        return result

    async def append_batch(self, items: Iterable[StreamAppend]) -> list[AppendResult]:
        """See `mink_core.EventLog.append_batch`."""
        given = list(items)
        with self._signals.operation("append_batch", streams=len(given)):
            results: list[AppendResult] = await self._inner.append_batch(given)
        self._stored(sum(len(result.event_ids) for result in results))
        return results

    async def poll(self, after_position: int, **options: Any) -> Page:
        """See `mink_core.EventLog.poll`."""
        began = perf_counter()
        if self._signals.is_silent(began):
            try:
                return cast("Page", await self._inner.poll(after_position, **options))
            except Exception as error:
                self._signals.log_failure("poll", error, perf_counter() - began, {})
                raise
        with self._signals.operation("poll"):
            page: Page = await self._inner.poll(after_position, **options)
        self._signals.read(len(page.events))
        return page

    def read_stream(self, stream_id: str, **options: Any) -> AsyncIterator[StoredEvent]:
        """See `mink_core.EventLog.read_stream`. Recorded from the first event taken to the last."""
        return self._events("read_stream", self._inner.read_stream(stream_id, **options), stream_id=stream_id)

    def read_all(self, **options: Any) -> AsyncIterator[StoredEvent]:
        """See `mink_core.EventLog.read_all`. Recorded from the first event taken to the last."""
        return self._events("read_all", self._inner.read_all(**options))

    async def _events(self, name: str, events: AsyncIterator[StoredEvent], **about: Any) -> AsyncIterator[StoredEvent]:
        count = 0
        try:
            with self._signals.operation(name, current=False, **about):
                async for event in events:
                    count += 1
                    yield event
        finally:
            self._signals.read(count)
            # A generator within is not closed with the one around it, and a page may be under way for it.
            if close := getattr(events, "aclose", None):
                await close()


class _RecordedTransaction(Uncommitted, _Recorded):
    """See `instrumented._RecordedTransaction`."""


class AsyncInstrumentedStore(_Recorded, AsyncUpdating):
    """See `mink_core.telemetry.instrument`. `update` goes through the recorded reads and appends."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Any]:
        """See `mink_core.EventStore.transaction`."""
        with self._signals.operation("transaction"):
            async with self._inner.transaction() as transaction:
                recorded = _RecordedTransaction(transaction, self._signals)
                yield recorded
        self._signals.appended(recorded.count)

    def bind(self, connection: Any) -> Any:
        """See `InstrumentedStore.bind`."""
        return _RecordedTransaction(self._inner.bind(connection), self._signals)

    def subscription(self, name: str, handler: Callable[..., Any], **options: Any) -> Any:
        """See `InstrumentedStore.subscription`."""
        check_runs(handler, "an async store's handler")

        async def recorded(event: StoredEvent, *rest: Any) -> None:
            with self._signals.delivery(name, event):
                outcome = handler(event, *(_RecordedTransaction(it, self._signals) for it in rest))
                if isawaitable(outcome):
                    await outcome
                else:
                    check_ran(outcome, "an async store's handler")

        return self._inner.subscription(name, recorded, **options)

    async def __aenter__(self) -> Self:
        """Open the store."""
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self._inner.__aexit__(*error)
