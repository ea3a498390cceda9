-- The schema as decided: two tables for the log, snapshots and checkpoints beside them.
CREATE TABLE IF NOT EXISTS {schema}.streams (
    id BIGSERIAL PRIMARY KEY,
    stream_id VARCHAR(500) NOT NULL UNIQUE,
    category VARCHAR(250) NOT NULL,
    version BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX IF NOT EXISTS idx_streams_category ON {schema}.streams (category);

CREATE TABLE IF NOT EXISTS {schema}.events (
    global_position BIGSERIAL PRIMARY KEY,
    stream_id VARCHAR(500) NOT NULL,
    version BIGINT NOT NULL,
    event_id UUID NOT NULL DEFAULT gen_random_uuid(),
    event_type VARCHAR(500) NOT NULL,
    data JSONB NOT NULL,
    metadata JSONB,
    timestamp TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    UNIQUE (stream_id, version)
);
CREATE INDEX IF NOT EXISTS idx_events_stream ON {schema}.events (stream_id, version);
CREATE INDEX IF NOT EXISTS idx_events_type ON {schema}.events (event_type);
CREATE INDEX IF NOT EXISTS idx_events_timestamp ON {schema}.events (timestamp);

CREATE TABLE IF NOT EXISTS {schema}.snapshots (
    stream_id VARCHAR(500) PRIMARY KEY,
    version BIGINT NOT NULL,
    data BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE IF NOT EXISTS {schema}.checkpoints (
    projection_name VARCHAR(255) PRIMARY KEY,
    position BIGINT NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'active',
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
