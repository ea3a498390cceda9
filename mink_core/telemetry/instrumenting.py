"""Wrapping a store, and watching its feed and its pool."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry import metrics

from mink_core.errors import MinkError
from mink_core.telemetry.async_instrumented import AsyncInstrumentedStore
from mink_core.telemetry.instrumented import InstrumentedStore
from mink_core.telemetry.signals import NAME, Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry import trace

    from mink_core.subscriber import Store

S = TypeVar("S")


def instrument(
    store: S,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> S:
    """The same store, whose calls make spans, metrics and log records.

    Spans `mink.append`, `mink.append_batch`, `mink.poll`, `mink.read_stream`, `mink.read_all`,
    `mink.transaction` and, for each event of a durable subscription, `mink.deliver`, which links to
    the span in which the event was made (see `trace_metadata`). Metrics `mink.operation.duration`,
    `mink.events.appended`, `mink.events.read`, `mink.append.conflicts`, `mink.delivery.lag`. Log
    records on `mink.store`: refusals and failures, and at DEBUG every call. No event's data is in any.

    Args:
        store: Of any adapter and either door. It is wrapped, not changed.
        tracer_provider: Instead of the one that the application has set.
        meter_provider: As well.
    """
    signals = Signals(tracer_provider, meter_provider)
    wrapper: Any = AsyncInstrumentedStore if iscoroutinefunction(getattr(store, "append", None)) else InstrumentedStore
    return cast("S", wrapper(store, signals))


def observe(store: Store, *, meter_provider: metrics.MeterProvider | None = None) -> None:
    """Have a sync store's feed and pool looked at whenever metrics are collected.

    `mink.feed.lag` (positions that readers must wait for), `mink.feed.hold_time` (seconds that the
    oldest open append holds it back for), and `mink.pool.connections` by `mink.state`, where the store
    has a pool. One process of an application is enough for the feed, as it is the same for all.
    A look that fails gives no figures; it is not repeated before the next collection.
    """
    meter = metrics.get_meter(NAME, meter_provider=meter_provider)

    def feed_lag(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return _looked(lambda: [metrics.Observation(_lag(store))])

    def hold_time(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        return _looked(
            lambda: [metrics.Observation(max((it.seconds for it in store.feed_status().holders), default=0.0))]
        )

    def pool(_options: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        status: Callable[[], dict[str, int]] | None = getattr(store, "pool_status", None)
        found = status() if status else {}
        return [metrics.Observation(count, {"mink.state": state}) for state, count in found.items()]

    meter.create_observable_gauge(
        "mink.feed.lag", [feed_lag], "{position}", "Positions allocated that readers wait for"
    )
    meter.create_observable_gauge(
        "mink.feed.hold_time", [hold_time], "s", "Age of the oldest transaction that holds back"
    )
    meter.create_observable_gauge("mink.pool.connections", [pool], "{connection}", "Connections by state")


def _lag(store: Store) -> int:
    status = store.feed_status()
    return status.high - status.mark


def _looked(look: Callable[[], list[metrics.Observation]]) -> list[metrics.Observation]:
    try:
        return look()
    except MinkError:
        return []
