-- Keys of work to be done once. From expires_at on a key is free.
CREATE TABLE {schema}.idempotency (
    key VARCHAR(500) PRIMARY KEY,
    token UUID NOT NULL,
    completed BOOLEAN NOT NULL DEFAULT FALSE,
    response JSONB,
    stream_id VARCHAR(500),
    metadata JSONB NOT NULL,
    reserved_at TIMESTAMPTZ NOT NULL,
    completed_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_idempotency_key_c ON {schema}.idempotency (key COLLATE "C");
CREATE INDEX idx_idempotency_expires_at ON {schema}.idempotency (expires_at);

-- Takes a free or expired key; else tells who has it. Waits for a transaction that has just taken it.
-- With the same token again it is the repeat of a call whose reply was lost.
CREATE FUNCTION {schema}.reserve_key(p_key text, p_token uuid, p_ttl float8, p_stream text, p_metadata jsonb)
RETURNS SETOF {schema}.idempotency LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        RETURN QUERY
        INSERT INTO {schema}.idempotency AS i (key, token, stream_id, metadata, reserved_at, expires_at)
        VALUES (
            p_key, p_token, p_stream, p_metadata, clock_timestamp(), clock_timestamp() + make_interval(secs => p_ttl)
        )
        ON CONFLICT (key) DO UPDATE
        SET token = p_token, completed = false, response = NULL, stream_id = p_stream, metadata = p_metadata,
            -- Not excluded.…: those were taken before the wait.
            reserved_at = clock_timestamp(), completed_at = NULL,
            expires_at = clock_timestamp() + make_interval(secs => p_ttl)
        WHERE i.expires_at <= clock_timestamp()
        RETURNING i.*;
        EXIT WHEN FOUND;
        RETURN QUERY
        SELECT * FROM {schema}.idempotency AS i WHERE i.key = p_key AND i.expires_at > clock_timestamp();
        EXIT WHEN FOUND; -- else it was released, purged or expired between the two
    END LOOP;
END $$;

-- The state of long-running work. A deleted saga keeps its row, so that it cannot come back.
CREATE TABLE {schema}.sagas (
    saga_id VARCHAR(500) PRIMARY KEY,
    saga_type VARCHAR(500) NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'running', 'completed', 'failed', 'compensating', 'compensated', 'compensation_failed', 'stuck'
    )),
    correlation_id VARCHAR(500),
    state JSONB NOT NULL,
    version BIGINT NOT NULL,
    due_at TIMESTAMPTZ, -- a time-out; while it is claimed, the end of the lease
    claims INTEGER NOT NULL DEFAULT 0,
    handled UUID[] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    deleted_at TIMESTAMPTZ
);
CREATE INDEX idx_sagas_saga_id_c ON {schema}.sagas (saga_id COLLATE "C");
CREATE INDEX idx_sagas_correlation_id ON {schema}.sagas (correlation_id, saga_id COLLATE "C")
    WHERE correlation_id IS NOT NULL;
CREATE INDEX idx_sagas_type_status ON {schema}.sagas (saga_type, status, saga_id COLLATE "C");
CREATE INDEX idx_sagas_due_at ON {schema}.sagas (due_at) WHERE due_at IS NOT NULL;

-- Compare-and-set; p_expected 0 creates. A refusal is a result: actual is NULL where it was deleted.
CREATE FUNCTION {schema}.save_saga(
    p_saga text, p_expected bigint, p_type text, p_status text, p_correlation text, p_state jsonb, p_due timestamptz,
    p_handled uuid[], OUT saved boolean, OUT actual bigint, OUT created_at timestamp, OUT updated_at timestamp
) LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF p_expected = 0 THEN
        INSERT INTO {schema}.sagas AS s (
            saga_id, saga_type, status, correlation_id, state, version, due_at, handled, created_at, updated_at
        )
        VALUES (p_saga, p_type, p_status, p_correlation, p_state, 1, p_due, p_handled, stamp, stamp)
        ON CONFLICT (saga_id) DO NOTHING
        RETURNING s.version, s.created_at AT TIME ZONE 'UTC', s.updated_at AT TIME ZONE 'UTC'
        INTO actual, created_at, updated_at;
    ELSE
        -- Never an upsert: a deleted saga must not come back.
        UPDATE {schema}.sagas AS s
        SET saga_type = p_type, status = p_status, correlation_id = p_correlation, state = p_state,
            version = s.version + 1, due_at = p_due, claims = 0, handled = p_handled,
            updated_at = greatest(stamp, s.updated_at)
        WHERE s.saga_id = p_saga AND s.version = p_expected AND s.deleted_at IS NULL
        RETURNING s.version, s.created_at AT TIME ZONE 'UTC', s.updated_at AT TIME ZONE 'UTC'
        INTO actual, created_at, updated_at;
    END IF;
    saved := FOUND;
    IF NOT saved THEN
        SELECT CASE WHEN s.deleted_at IS NULL THEN s.version END INTO actual
        FROM {schema}.sagas AS s WHERE s.saga_id = p_saga;
        IF NOT FOUND THEN
            actual := 0;
        END IF;
    END IF;
END $$;

CREATE FUNCTION {schema}.delete_saga(p_saga text, p_expected bigint, OUT deleted boolean, OUT actual bigint)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.sagas AS s
    SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), version = s.version + 1, due_at = NULL,
        correlation_id = NULL, state = 'null', handled = '{}'
    WHERE s.saga_id = p_saga AND s.version = p_expected AND s.deleted_at IS NULL;
    deleted := FOUND;
    IF NOT deleted THEN
        SELECT CASE WHEN s.deleted_at IS NULL THEN s.version END INTO actual
        FROM {schema}.sagas AS s WHERE s.saga_id = p_saga;
        IF NOT FOUND THEN
            actual := 0;
        END IF;
    END IF;
END $$;

-- Takes due sagas: a new version each, so that whoever had one before can no longer save it.
CREATE FUNCTION {schema}.claim_sagas(p_limit integer, p_lease float8, p_type text, p_max integer)
RETURNS SETOF {schema}.sagas LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
BEGIN
    UPDATE {schema}.sagas AS s SET status = 'stuck', due_at = NULL, version = s.version + 1, updated_at = stamp
    WHERE s.saga_id IN (
        SELECT x.saga_id FROM {schema}.sagas AS x
        WHERE x.due_at <= stamp AND x.claims >= p_max AND (p_type IS NULL OR x.saga_type = p_type)
        ORDER BY x.due_at LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY
    UPDATE {schema}.sagas AS s
    SET due_at = stamp + make_interval(secs => p_lease), claims = s.claims + 1, version = s.version + 1
    WHERE s.saga_id IN (
        SELECT x.saga_id FROM {schema}.sagas AS x
        WHERE x.due_at <= stamp AND x.claims < p_max AND (p_type IS NULL OR x.saga_type = p_type)
        ORDER BY x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    )
    RETURNING s.*;
END $$;
