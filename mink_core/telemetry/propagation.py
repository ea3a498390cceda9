"""The trace that an event came from travels in its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import propagate, trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mink_core.events import StoredEvent


def trace_metadata(metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Metadata for a new event, with the current trace's context beside what is given.

    Called when the event is made, not when it is appended: a call that is repeated after a lost reply
    must have the same content (rule APPEND-09), and is often repeated in another span.
    """
    carrier: dict[str, Any] = {}
    propagate.inject(carrier)
    return {**(metadata or {}), **carrier}


def links_of(event: StoredEvent) -> list[trace.Link]:
    """A link to the span in which an event was made, where its metadata tells."""
    # What is no text is not ours: metadata is the application's.
    carrier = {key: value for key, value in event.metadata.items() if type(value) is str}
    found = trace.get_current_span(propagate.extract(carrier)).get_span_context()
    return [trace.Link(found)] if found.is_valid and found.is_remote else []
