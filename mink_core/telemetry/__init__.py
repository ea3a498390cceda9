"""Spans, metrics and logs of a store, behind OpenTelemetry's API package (extra `otel`).

    from mink_core.telemetry import instrument, trace_metadata

    store = instrument(open_store(url))
    store.append("order-1", [NewEvent("Placed", data, trace_metadata())], expected_version=0)

A store that is not instrumented pays nothing. Without an SDK the API does nothing either.
"""

from mink_core.telemetry.instrumenting import instrument, observe
from mink_core.telemetry.propagation import trace_metadata

__all__ = ["instrument", "observe", "trace_metadata"]
