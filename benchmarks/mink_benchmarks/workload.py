"""What is appended: the floor's payload and stream names, or the caller's own payload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mink_benchmarks.report import read_json
from mink_core import NewEvent, UsageError
from mink_core.limits import MAX_JSON_BYTES

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = 1000
EVENT_TYPE = "OrderPlaced"

_DATA: dict[str, Any] = {
    "order_id": 7,
    "customer": "customer-7",
    "currency": "EUR",
    "items": [{"sku": "ABC-7", "qty": 2, "price": 19.99}, {"sku": "DEF-7", "qty": 1, "price": 5.25}],
    "address": {"street": "Main Street 7", "city": "Springfield", "zip": "12345"},
    "note": "leave the parcel at the door, please ring twice",
}
_METADATA = {"correlation_id": "c-0000000000000007", "causation_id": "c-7", "user_id": "u-7"}


@dataclass(frozen=True, slots=True)
class Workload:
    """A payload, and the streams it goes to."""

    data: Any = field(default_factory=lambda: _DATA)
    metadata: dict[str, Any] = field(default_factory=lambda: _METADATA)

    def events(self, count: int) -> list[NewEvent]:
        """New events, each with an id of its own."""
        return [NewEvent(EVENT_TYPE, self.data, self.metadata) for _ in range(count)]


def workload_of(path: Path | None) -> Workload:
    """The workload whose event's data are in a file; the usual one without.

    Raises:
        UsageError: There is no such file, it is not JSON, or above the limit of one event.
    """
    if path is None:
        return Workload()
    data = read_json(path)
    if path.stat().st_size > MAX_JSON_BYTES:
        msg = f"{path} is above the limit of {MAX_JSON_BYTES} bytes for one event"
        raise UsageError(msg)
    return Workload(data=data)


def stream_name(number: int) -> str:
    """The name of one of the streams, the same as the floor's."""
    return f"order-{number:08d}-0000-5000-8000-000000000000"


def share(writer: int, writers: int) -> list[str]:
    """One writer's streams: nobody waits for anybody's row."""
    return [stream_name(number) for number in range(writer, STREAMS, writers)]
