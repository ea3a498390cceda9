"""Every kind of value to fill a store with, and how it is exported and imported."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from mink_core import ExpectedVersion, NewEvent, Store, StoredEvent, StreamAppend, open_store
from mink_core.registry import open_administration
from mink_core.transfer import export, import_lines, verify

VALUES: list[Any] = [
    1, 1.0, True, None, "x", -0.0, 1e16, 1.2345678901234567e18, 1e300, 5e-324, 2**63 - 1, -(2**63), [], {}, 'é😀\u2028"\\',
    {"z": {"a": [1, 1.0]}, "a": None}, "\\u0000", [[[]]], 0.1, "x" * 70_000,
]  # fmt: skip


def fill(store: Store) -> None:
    """Streams that lie in one another, calls of one and of several events, every kind of value."""
    for number, value in enumerate(VALUES):
        metadata = {"user_id": "ann", "value": value} if number % 3 else None
        store.append(f"order-{number % 4}", [NewEvent("Placed", value, metadata)], expected_version=ExpectedVersion.ANY)
        items = [
            StreamAppend(name, [NewEvent("Noted", {"n": number})] * 1, ExpectedVersion.ANY)
            for name in ("käse", "a", "😀-1")
        ]
        store.append_batch(items)


def exported(store: Store) -> bytes:
    out = io.BytesIO()
    export(store, out.write)
    return out.getvalue()


def imported(data: bytes, url: str, **options: Any) -> Any:
    with open_administration(url) as administration:
        done = import_lines(io.BytesIO(data), administration, **options)
    with open_store(url) as store:
        verify(store, done.digests)
    return done


def event(version: int = 1, **fields: Any) -> StoredEvent:
    given = {
        "stream_id": "x-1", "version": version, "global_position": 1, "event_id": uuid.uuid4(), "event_type": "T",
        "data": 1, "metadata": {}, "timestamp": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=version),
    }  # fmt: skip
    return StoredEvent(**(given | fields))
