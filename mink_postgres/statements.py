"""The SQL texts: one statement a file, with the schema's quoted name put in."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from mink_core.errors import UsageError
from mink_postgres.substore_statements import SubStoreStatements

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Statements(SubStoreStatements):
    """Every statement for one schema, an attribute each, named after its file."""

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
        texts = _texts()
        super().__init__({name: self._fill(text) for name, text in texts.items()})
        self.append = self._fill(texts["append"])
        self.append_one = self._fill(texts["append_one"])
        self.append_group = self._fill(texts["append_group"])
        self.append_batch = self._fill(texts["append_batch"])
        self.append_batch_unique = self._fill(texts["append_batch_unique"])
        self.read_stream_forward = self._fill(texts["read_stream_forward"])
        self.read_stream_backward = self._fill(texts["read_stream_backward"])
        self.feed_mark = self._fill(texts["feed_mark"])
        self.feed_holders = self._fill(texts["feed_holders"])
        self.head_position = self._fill(texts["head_position"])
        self.stream_info = self._fill(texts["stream_info"])
        self.streams = self._fill(texts["streams"])
        self.streams_of_category = self._fill(texts["streams_of_category"])
        self.schema_state = self._fill(texts["schema_state"])
        self.sequence_settings = self._fill(texts["sequence_settings"])
        self.check_streams = self._fill(texts["check_streams"])
        self.bump_epoch = self._fill(texts["bump_epoch"])
        self.load_checkpoint = self._fill(texts["load_checkpoint"])
        self.list_checkpoints = self._fill(texts["list_checkpoints"])
        self.save_checkpoint = self._fill(texts["save_checkpoint"])
        self.reset_checkpoint = self._fill(texts["reset_checkpoint"])
        self.hold_partitions = self._fill(texts["hold_partitions"])
        self.release_partition = self._fill(texts["release_partition"])
        self.leave_subscription = self._fill(texts["leave_subscription"])
        self.pause_subscription = self._fill(texts["pause_subscription"])
        self.resume_subscription = self._fill(texts["resume_subscription"])
        self.rewind_subscription = self._fill(texts["rewind_subscription"])
        self.list_subscriptions = self._fill(texts["list_subscriptions"])
        self.park_event = self._fill(texts["park_event"])
        self.list_parked = self._fill(texts["list_parked"])
        self.replay_parked = self._fill(texts["replay_parked"])
        self.remove_parked = self._fill(texts["remove_parked"])
        self._read_feed = self._fill(texts["read_feed"])
        self._scan_end = self._fill(texts["scan_end"])

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

    def _fill(self, text: str) -> str:
        return text.replace("{schema}", self.quoted)


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
