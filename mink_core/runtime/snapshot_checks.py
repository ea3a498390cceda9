"""Arguments of `SnapshotStore`, checked the same way by every adapter."""

from __future__ import annotations

from mink_core.limits import check_count, check_stream_id
from mink_core.prepare_substores.snapshots import check_snapshot_filter


def check_load(stream_id: object, snapshot_type: object, schema_version: object, at_version: object = None) -> None:
    """Check the arguments of `load` and `load_with_tail`.

    Raises:
        UsageError: One is wrong.
    """
    check_stream_id(stream_id)
    check_snapshot_filter(snapshot_type, schema_version)
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
