CREATE TABLE store (
    identity TEXT NOT NULL,
    epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE streams (
    stream_id TEXT PRIMARY KEY,
    category TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX streams_by_category ON streams (category, stream_id);

-- AUTOINCREMENT: a position is never used again, not even that of a deleted last row.
CREATE TABLE events (
    global_position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    data TEXT NOT NULL,           -- JSON as mink_core encoded it: SQLite never looks into it
    metadata TEXT,
    timestamp INTEGER NOT NULL,
    UNIQUE (stream_id, version)
) STRICT;

CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    identity TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
