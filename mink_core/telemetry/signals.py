"""What is recorded of an operation, whichever door it came by."""

from __future__ import annotations

import logging
import time
import traceback
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace

from mink_core.errors import ConcurrencyError, OutcomeUnknownError, StorageError
from mink_core.errors.root import words_of
from mink_core.telemetry.propagation import links_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from mink_core.events import StoredEvent

NAME = "mink"
log = logging.getLogger("mink.store")
"""Records carry `operation`, `seconds`, `error` and what the operation was about as attributes."""


_LOOK_AGAIN = 1.0
"""Seconds after which is looked again whether the application has set an SDK meanwhile."""
_NOTHING: AbstractContextManager[None] = nullcontext()


def _does_nothing(provider: object) -> bool:
    """Whether a provider is one of the API package's own: they stand for an SDK that nobody has set."""
    return type(provider).__module__.split(".")[:2] in (["opentelemetry", "trace"], ["opentelemetry", "metrics"])


class _Silent:
    """An operation that nobody listens to: its failure is logged, and that is all."""

    __slots__ = ("_about", "_began", "_name", "_signals")

    def __init__(self, signals: Signals, name: str, began: float, about: dict[str, Any]) -> None:
        self._signals = signals
        self._name = name
        self._began = began
        self._about = about

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._signals.log_failure(self._name, error, time.perf_counter() - self._began, self._about)


class Signals:
    """The instruments of one store."""

    def __init__(
        self, tracer_provider: trace.TracerProvider | None, meter_provider: metrics.MeterProvider | None
    ) -> None:
        """Make them; without providers, those that the application has set."""
        self._given = tracer_provider, meter_provider
        self._silent = False
        self._look_at = 0.0
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        self.meter = metrics.get_meter(NAME, meter_provider=meter_provider)
        self._duration = self.meter.create_histogram(
            "mink.operation.duration", "s", "How long a call to the store took"
        )
        self._appended = self.meter.create_counter("mink.events.appended", "{event}", "Events that were stored")
        self._read = self.meter.create_counter("mink.events.read", "{event}", "Events that were given to a reader")
        self._conflicts = self.meter.create_counter("mink.append.conflicts", "{call}", "Appends refused as a conflict")
        self._lag = self.meter.create_histogram(
            "mink.delivery.lag", "s", "From an event's timestamp to its delivery, by this machine's clock"
        )

    @property
    def silent(self) -> bool:
        """Whether nobody listens: no SDK is set, and no log record of a success is wanted."""
        return self.is_silent(time.perf_counter())

    def is_silent(self, now: float) -> bool:
        """`silent`, at this moment by `time.perf_counter()`."""
        if now >= self._look_at:
            tracers, meters = self._given
            self._silent = (
                _does_nothing(tracers or trace.get_tracer_provider())
                and _does_nothing(meters or metrics.get_meter_provider())
                and not log.isEnabledFor(logging.DEBUG)
            )
            # Told by the given ones alone, or by what the application may still set.
            self._look_at = now + _LOOK_AGAIN
        return self._silent

    def operation(self, name: str, *, current: bool = True, **about: Any) -> AbstractContextManager[None]:
        """A call to the store: a span, its duration, its error, and a log record.

        Args:
            name: Which.
            current: Whether what happens inside belongs to the span. Not so for an iterator: between
                its steps it is the caller's code that runs.
            about: Attributes of the span and the record.
        """
        began = time.perf_counter()
        if self.is_silent(began):
            return _Silent(self, name, began, about)
        return self._recorded(name, began, about, current=current)

    @contextmanager
    def _recorded(self, name: str, began: float, about: dict[str, Any], *, current: bool) -> Generator[None]:
        attributes = {f"mink.{key}": value for key, value in about.items()}
        span = self._tracer.start_span(f"mink.{name}", kind=trace.SpanKind.CLIENT, attributes=attributes)
        token = context.attach(trace.set_span_in_context(span)) if current else None
        try:
            yield
        except GeneratorExit:
            # The caller took no more events: as good an end as any.
            self._done(name, time.perf_counter() - began, about)
            raise
        except BaseException as error:
            self._failed(span, name, error, time.perf_counter() - began, about)
            raise
        else:
            self._done(name, time.perf_counter() - began, about)
        finally:
            if token is not None:
                context.detach(token)
            span.end()

    def _done(self, name: str, seconds: float, about: dict[str, Any]) -> None:
        self._duration.record(seconds, {"mink.operation": name})
        if log.isEnabledFor(logging.DEBUG):
            extra = {"operation": name, "seconds": seconds, "error": None, **about}
            log.debug("%s took %.6f s", name, seconds, extra=extra)

    def _failed(self, span: trace.Span, name: str, error: BaseException, seconds: float, about: dict[str, Any]) -> None:
        kind = type(error).__name__
        self._duration.record(seconds, {"mink.operation": name, "error.type": kind})
        span.set_attribute("error.type", kind)
        # Not by `record_exception`, which also tells what the error came from: a database's quotes the row it refused.
        told = "".join(traceback.format_exception(error, chain=False))
        span.add_event(
            "exception",
            {"exception.type": kind, "exception.message": words_of(error), "exception.stacktrace": told},
        )
        if isinstance(error, ConcurrencyError):
            # An answer, not a failure: somebody else was first.
            self._conflicts.add(1)
        else:
            span.set_status(trace.Status(trace.StatusCode.ERROR, kind))
        if isinstance(error, Exception):
            self.log_failure(name, error, seconds, about)

    @staticmethod
    def log_failure(name: str, error: Exception, seconds: float, about: dict[str, Any]) -> None:
        """A log record of an operation that failed, or was refused."""
        kind = type(error).__name__
        if isinstance(error, ConcurrencyError):
            level = logging.INFO
        else:
            worst = isinstance(error, OutcomeUnknownError) or not isinstance(error, StorageError)
            level = logging.ERROR if worst else logging.WARNING
        log.log(
            level,
            "%s failed: %s: %s",
            name,
            kind,
            error,
            extra={"operation": name, "seconds": seconds, "error": kind, **about},
        )

    def appended(self, count: int) -> None:
        """So many events were stored."""
        if not self._silent:
            self._appended.add(count)

    def read(self, count: int) -> None:
        """So many events were given to a reader."""
        if not self._silent:
            self._read.add(count)

    def delivery(self, subscription: str, event: StoredEvent) -> AbstractContextManager[None]:
        """A handler works on an event: a span that links to the one in which the event was made."""
        return _NOTHING if self.silent else self._delivery(subscription, event)

    @contextmanager
    def _delivery(self, subscription: str, event: StoredEvent) -> Generator[None]:
        self._lag.record(
            max((datetime.now(UTC) - event.timestamp).total_seconds(), 0.0), {"mink.subscription": subscription}
        )
        attributes: dict[str, str | int] = {
            "mink.subscription": subscription,
            "mink.stream_id": event.stream_id,
            "mink.event_type": event.event_type,
            "mink.global_position": event.global_position,
        }
        with self._tracer.start_as_current_span(
            "mink.deliver", kind=trace.SpanKind.CONSUMER, attributes=attributes, links=links_of(event)
        ):
            yield
