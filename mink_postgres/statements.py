"""The SQL texts: one statement a file, with the schema's quoted name put in."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from mink_core.errors import UsageError

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Statements:
    """Every statement for one schema, an attribute each, named after its file; what has more to put in is a method."""

    append: str
    append_one: str
    append_group: str
    append_batch: str
    append_batch_unique: str
    read_stream_forward: str
    read_stream_backward: str
    feed_mark: str
    feed_holders: str
    head_position: str
    stream_info: str
    streams: str
    streams_of_category: str
    schema_state: str
    sequence_settings: str
    check_streams: str
    bump_epoch: str
    load_checkpoint: str
    list_checkpoints: str
    save_checkpoint: str
    reset_checkpoint: str
    hold_partitions: str
    release_partition: str
    leave_subscription: str
    pause_subscription: str
    resume_subscription: str
    rewind_subscription: str
    list_subscriptions: str
    partition_lags: str
    park_event: str
    list_asked: str
    list_parked: str
    replay_parked: str
    remove_parked: str
    save_snapshot: str
    load_snapshot: str
    load_with_tail: str
    delete_snapshots: str
    list_snapshots: str
    append_one_with_outbox: str
    append_group_with_outbox: str
    append_with_outbox: str
    append_batch_unique_with_outbox: str
    add_outbox: str
    claim_outbox: str
    settle_outbox: str
    requeue_outbox: str
    purge_outbox: str
    reserve_key: str
    complete_key: str
    release_key: str
    get_key: str
    list_keys: str
    purge_keys: str
    save_saga: str
    delete_saga: str
    claim_sagas: str
    soft_delete_stream: str
    tombstone_stream: str
    redact_event: str
    purge_stream: str
    privacy_audit: str
    event_head: str
    _read_feed: str
    _scan_end: str
    _read_outbox: str
    _find_sagas: str

    def __init__(self, schema: str) -> None:
        """Read and fill in the files.

        Raises:
            UsageError: The schema's name is not letters, digits and `_`, or above 63 characters.
        """
        if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
            msg = f"a schema's name is 1 to 63 letters, digits and '_', not starting with a digit: not {schema!r:.80}"
            raise UsageError(msg)
        self.schema = schema
        self.quoted = f'"{schema}"'
        self.json_type = "jsonb"
        for name, text in _texts().items():
            setattr(self, f"_{name}" if hasattr(Statements, name) else name, self._fill(text))

    def payloads_are(self, json_type: str) -> None:
        """Append as the columns are: `jsonb` or `json`. Either works on both, but makes one of the other."""
        if json_type != self.json_type:
            self.json_type = json_type
            for name, text in _texts().items():
                if "{json}" in text:
                    setattr(self, name, self._fill(text))

    def read_feed(self, conditions: str, *, backward: bool) -> str:
        """The feed between two positions; `conditions` is built of constants and `$n` only."""
        return self._read_feed.replace("{filter}", self._fill(conditions)).replace(
            "{order}", "DESC" if backward else ""
        )

    def scan_end(self, *, backward: bool) -> str:
        """Where a bounded scan of the feed ends."""
        return self._scan_end.replace("{order}", "DESC" if backward else "").replace(
            "{edge}", "min" if backward else "max"
        )

    def read_outbox(self, condition: str) -> str:
        """Messages in order; `condition` is built of constants and `$1` only."""
        return self._read_outbox.replace("{condition}", condition)

    def find_sagas(self, conditions: str) -> str:
        """Sagas in order; `conditions` is built of constants and `$n` only."""
        return self._find_sagas.replace("{filter}", conditions)

    def admin(self, name: str) -> str:
        """A statement that only administration needs, from `sql/admin`."""
        return self._fill(admin_sql(name))

    def _fill(self, text: str) -> str:
        return text.replace("{schema}", self.quoted).replace("{json}", self.json_type)


@cache
def _texts() -> dict[str, str]:
    folder = files("mink_postgres").joinpath("sql")
    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8").strip()
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }


@cache
def admin_sql(name: str) -> str:
    """A statement that only administration needs, from `sql/admin`; `{schema}` is not put in yet."""
    return files("mink_postgres").joinpath("sql", "admin", f"{name}.sql").read_text("utf-8").strip()
