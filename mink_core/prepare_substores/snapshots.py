"""Snapshots, checked and encoded."""

from __future__ import annotations

from typing import Any

import msgspec

from mink_core.errors import UsageError
from mink_core.json_codec import decode_json, encode_json
from mink_core.limits import (
    MAX_INT32,
    MAX_JSON_BYTES,
    MAX_VERSION,
    check_between,
    check_count,
    check_stream_id,
    check_text,
)

MAX_KEPT_SNAPSHOTS = 1000


class PreparedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that was checked and encoded."""

    stream_id: str
    version: int
    data: bytes
    is_json: bool
    snapshot_type: str
    schema_version: int
    keep: int


def prepare_snapshot(  # noqa: PLR0913 -- the arguments of `SnapshotStore.save`
    stream_id: str, version: int, data: Any, *, snapshot_type: str, schema_version: int, keep: int
) -> PreparedSnapshot:
    """Check and encode the arguments of `SnapshotStore.save`.

    Raises:
        UsageError: One is wrong; nothing was sent.
    """
    _check_filter(snapshot_type, schema_version)
    is_json = not isinstance(data, (bytes, bytearray, memoryview))
    encoded = encode_json(data).encode() if is_json else bytes(data)
    if len(encoded) > MAX_JSON_BYTES:
        msg = f"a snapshot may hold {MAX_JSON_BYTES} bytes, not {len(encoded)}"
        raise UsageError(msg)
    return PreparedSnapshot(
        check_stream_id(stream_id),
        check_between(version, "version", 1, MAX_VERSION),
        encoded,
        is_json,
        snapshot_type,
        schema_version,
        check_between(keep, "keep", 1, MAX_KEPT_SNAPSHOTS),
    )


def snapshot_data(data: bytes, *, is_json: bool) -> Any:
    """What was saved."""
    return decode_json(data) if is_json else bytes(data)


def check_load(stream_id: object, snapshot_type: object, schema_version: object, at_version: object = None) -> None:
    """Check the arguments of `load` and `load_with_tail`.

    Raises:
        UsageError: One is wrong.
    """
    check_stream_id(stream_id)
    _check_filter(snapshot_type, schema_version)
    if at_version is not None:
        check_count(at_version, "at_version")


def check_delete(stream_id: object, up_to_version: object) -> None:
    """Check the arguments of `delete`.

    Raises:
        UsageError: One is wrong.
    """
    check_stream_id(stream_id)
    if up_to_version is not None:
        check_count(up_to_version, "up_to_version")


def check_list(after: object, limit: object) -> None:
    """Check the arguments of `list`.

    Raises:
        UsageError: One is wrong.
    """
    if after is not None:
        check_stream_id(after)
    check_count(limit, "limit")


def _check_filter(snapshot_type: object, schema_version: object) -> None:
    """A snapshot's type, "" for none, and its schema version; None asks for any."""
    if snapshot_type is not None and snapshot_type != "":
        check_text(snapshot_type, "snapshot type")
    if schema_version is not None:
        check_between(schema_version, "schema_version", 1, MAX_INT32)
