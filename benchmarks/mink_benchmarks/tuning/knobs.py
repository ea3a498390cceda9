"""What can be set, and which work shows its effect. The first setting of each is what a store has that nobody has tuned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_TYPES = "DROP INDEX {schema}.idx_events_type"
_NO_TIMES = "DROP INDEX {schema}.idx_events_timestamp"
_DATA = "ALTER TABLE {schema}.events ALTER COLUMN data"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to have it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the store."""
    statements: tuple[str, ...] = ()
    """Run once the store's tables are there; `{schema}` stands for its schema."""
    server: Mapping[str, str] = field(default_factory=dict)
    """Settings of the server for as long as it is measured: only of one that was started for the run."""
    bounds: Mapping[str, int] = field(default_factory=dict)
    """Constants of `mink_postgres.grouping.planner`, which are no options."""
    by_socket: bool = False
    """Whether the store reaches the server by a Unix socket."""
    needs_lz4: bool = False
    """Whether the server must have been built with it."""


@dataclass(frozen=True, slots=True)
class Knob:
    """Something to tune."""

    name: str
    works: tuple[str, ...]
    """What is measured with each setting: see `works`."""
    settings: tuple[Setting, ...]

    @property
    def needs_own_server(self) -> bool:
        """Whether it is measured only on a server that was started for the run."""
        return any(setting.server or setting.by_socket for setting in self.settings)


def _pool(size: int) -> Setting:
    return Setting(f"max_size={size}", {"max_size": size, "min_size": min(size, 5)})


def _fill(percent: int) -> Setting:
    change = f"ALTER TABLE {{schema}}.streams SET (fillfactor = {percent})"
    return Setting(f"fillfactor {percent}", statements=(change, "VACUUM FULL {schema}.streams"))


KNOBS = (
    Knob("pool, grouped", ("64 tasks",), (_pool(25), _pool(10), _pool(4), _pool(2))),
    Knob(
        "pool, not grouped",
        ("64 tasks, not grouped",),
        (_pool(25), _pool(64), _pool(10), _pool(4), _pool(2)),
    ),
    Knob(
        "groups",
        ("64 tasks", "64 tasks, ten events"),
        (
            Setting("two of 32 at most"),
            Setting("two of 16", bounds={"GROUP_APPENDS": 16}),
            Setting("two of 64", bounds={"GROUP_APPENDS": 64}),
            Setting("one of 32", bounds={"LANES": 1}),
            Setting("three of 32", bounds={"LANES": 3}),
            Setting("group_commits=false", {"group_commits": False}),
        ),
    ),
    Knob(
        "groups of 256 callers",
        ("256 tasks",),
        (
            Setting("four, a share each"),
            Setting("four of 32", bounds={"MOST_APPENDS": 32}),
            Setting("two, a share each", bounds={"LANES_OF_MANY": 2}),
            Setting("two of 32, as for 64 callers", bounds={"MANY": 10_000}),
            Setting("eight, a share each", bounds={"LANES_OF_MANY": 8}),
        ),
    ),
    Knob(
        "synchronous_commit",
        ("1 task", "64 tasks"),
        (
            Setting("on"),
            Setting("off, which the store's appends switch on", server={"synchronous_commit": "off"}),
            Setting("a disk that nobody waits for (fsync=off)", server={"fsync": "off"}),
        ),
    ),
    Knob(
        "commit_delay",
        ("64 tasks, not grouped",),
        (
            Setting("0"),
            Setting("50 µs", server={"commit_delay": "50"}),
            Setting("500 µs", server={"commit_delay": "500"}),
        ),
    ),
    Knob(
        "wal_compression",
        ("64 tasks",),
        (Setting("off"), Setting("lz4", server={"wal_compression": "lz4"}, needs_lz4=True)),
    ),
    Knob(
        "fillfactor of streams",
        ("64 tasks", "64 tasks, 50,000 streams"),
        (_fill(100), _fill(90), _fill(70), _fill(50)),
    ),
    Knob(
        "indexes",
        ("1 task", "64 tasks"),
        (
            Setting("as they are"),
            Setting("without that of event types", statements=(_NO_TYPES,)),
            Setting("without that of timestamps", statements=(_NO_TIMES,)),
            Setting("without either", statements=(_NO_TYPES, _NO_TIMES)),
            Setting(
                "one more, of metadata->>'correlation_id'",
                statements=("CREATE INDEX ON {schema}.events ((metadata->>'correlation_id'))",),
            ),
            Setting(
                "one more, GIN of data (jsonb_path_ops)",
                statements=("CREATE INDEX ON {schema}.events USING gin (data jsonb_path_ops)",),
            ),
            Setting("unique_event_ids=true", {"unique_event_ids": True}),
        ),
    ),
    Knob(
        "autovacuum",
        ("64 tasks",),
        (
            Setting("on"),
            Setting("off", server={"autovacuum": "off"}),
            Setting(
                "every second, of a thousandth that changed",
                server={
                    "autovacuum_naptime": "1",
                    "autovacuum_vacuum_scale_factor": "0.001",
                    "autovacuum_vacuum_insert_scale_factor": "0.001",
                    "autovacuum_analyze_scale_factor": "0.001",
                },
            ),
        ),
    ),
    Knob(
        "json_type",
        (
            "1 task",
            "64 tasks",
            "64 tasks, ten events",
            "replay",
            "replay, looked at",
            "replay, by metadata",
            "64 tasks, 8 KB",
            "replay, 8 KB",
        ),
        (Setting("jsonb"), Setting("json", {"json_type": "json"})),
    ),
    Knob(
        "hash_partitions",
        ("1 task", "64 tasks", "replay"),
        (Setting("0"), Setting("16", {"hash_partitions": 16}), Setting("64", {"hash_partitions": 64})),
    ),
    Knob(
        "transaction_pooler",
        ("1 task", "64 tasks"),
        (Setting("false"), Setting("true, without a pooler between", {"transaction_pooler": True})),
    ),
    Knob(
        "connection",
        ("1 task", "64 tasks", "replay"),
        (Setting("TCP on loopback"), Setting("Unix socket", by_socket=True)),
    ),
    Knob(
        "compression of data",
        ("64 tasks, 8 KB", "replay, 8 KB"),
        (
            Setting("lz4", needs_lz4=True),
            Setting("pglz", statements=(f"{_DATA} SET COMPRESSION pglz",)),
            Setting("none (STORAGE EXTERNAL)", statements=(f"{_DATA} SET STORAGE EXTERNAL",)),
        ),
    ),
)
"""In the order in which they are measured."""
COLUMNS = "columns of JSON, bare driver"
"""What `columns` measures."""
NAMES = (*(knob.name for knob in KNOBS), COLUMNS)
"""All that can be measured."""
