"""The SQL texts of snapshots, outbox, idempotency, sagas and privacy; see `mink_postgres.statements`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class SubStoreStatements:
    """An attribute for each statement, named after its file."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take the texts with the schema's name put in."""
        self.save_snapshot = texts["save_snapshot"]
        self.load_snapshot = texts["load_snapshot"]
        self.load_with_tail = texts["load_with_tail"]
        self.delete_snapshots = texts["delete_snapshots"]
        self.list_snapshots = texts["list_snapshots"]
        self.append_one_with_outbox = texts["append_one_with_outbox"]
        self.append_group_with_outbox = texts["append_group_with_outbox"]
        self.append_with_outbox = texts["append_with_outbox"]
        self.append_batch_unique_with_outbox = texts["append_batch_unique_with_outbox"]
        self.add_outbox = texts["add_outbox"]
        self.claim_outbox = texts["claim_outbox"]
        self.settle_outbox = texts["settle_outbox"]
        self.requeue_outbox = texts["requeue_outbox"]
        self.purge_outbox = texts["purge_outbox"]
        self.reserve_key = texts["reserve_key"]
        self.complete_key = texts["complete_key"]
        self.release_key = texts["release_key"]
        self.get_key = texts["get_key"]
        self.list_keys = texts["list_keys"]
        self.purge_keys = texts["purge_keys"]
        self.save_saga = texts["save_saga"]
        self.delete_saga = texts["delete_saga"]
        self.claim_sagas = texts["claim_sagas"]
        self.soft_delete_stream = texts["soft_delete_stream"]
        self.tombstone_stream = texts["tombstone_stream"]
        self.redact_event = texts["redact_event"]
        self.purge_stream = texts["purge_stream"]
        self.privacy_audit = texts["privacy_audit"]
        self.event_head = texts["event_head"]
        self._find_sagas = texts["find_sagas"]
        self._read_outbox = texts["read_outbox"]

    def read_outbox(self, condition: str) -> str:
        """Messages in order; `condition` is built of constants and `$1` only."""
        return self._read_outbox.replace("{condition}", condition)

    def find_sagas(self, conditions: str) -> str:
        """Sagas in order; `conditions` is built of constants and `$n` only."""
        return self._find_sagas.replace("{filter}", conditions)
