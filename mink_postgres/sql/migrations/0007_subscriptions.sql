-- One growing sequence for all leases: a token stays the newest or is refused, also after a reset.
CREATE SEQUENCE {schema}.subscription_tokens OWNED BY {schema}.subscription_leases.token;

CREATE TABLE {schema}.subscriptions (
    name VARCHAR(200) PRIMARY KEY,
    partitions INTEGER NOT NULL,
    paused_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

-- A worker's heartbeat. It is a row of its own, so that a beat never waits for a commit that has
-- locked one of the worker's leases.
CREATE TABLE {schema}.subscription_workers (
    subscription VARCHAR(200) NOT NULL REFERENCES {schema}.subscriptions ON DELETE CASCADE,
    owner VARCHAR(200) NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (subscription, owner)
);

CREATE TABLE {schema}.parked_events (
    subscription VARCHAR(200) NOT NULL,
    global_position BIGINT NOT NULL,
    stream_id VARCHAR(500) NOT NULL,
    version BIGINT NOT NULL,
    event_type VARCHAR(500) NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    parked_at TIMESTAMPTZ NOT NULL,
    replay BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (subscription, global_position)
);
CREATE INDEX idx_parked_events_replay ON {schema}.parked_events (subscription) WHERE replay;

-- The same in every adapter: see mink_core/partitions.py. Declared STABLE, as convert_to is, so that
-- it is put into the query that calls it.
CREATE FUNCTION {schema}.partition_of(p_stream text, p_partitions integer) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE RETURN (
    ('x' || encode(substring(sha256(convert_to(p_stream, 'UTF8')) FROM 1 FOR 4), 'hex'))::bit(32)::bigint
    % p_partitions
)::integer;

-- A worker's beat: keep what it holds, take what it should hold besides, tell what it should hand back.
CREATE FUNCTION {schema}.hold_partitions(
    p_name text, p_owner text, p_partitions integer, p_seconds float8,
    OUT actual integer, OUT paused boolean, OUT held integer[], OUT tokens bigint[], OUT surplus integer[],
    OUT next_expiry float8
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    target integer;
    mine integer;
BEGIN
    -- One worker of a subscription at a time.
    LOOP
        INSERT INTO {schema}.subscriptions (name, partitions) VALUES (p_name, p_partitions)
        ON CONFLICT (name) DO NOTHING;
        IF FOUND THEN
            INSERT INTO {schema}.subscription_leases (subscription, partition)
            SELECT p_name, g FROM generate_series(0, p_partitions - 1) AS g;
        END IF;
        SELECT s.partitions, s.paused_at IS NOT NULL INTO actual, paused
        FROM {schema}.subscriptions AS s WHERE s.name = p_name FOR UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    IF actual <> p_partitions THEN
        RETURN;
    END IF;

    moment := clock_timestamp();
    INSERT INTO {schema}.subscription_workers (subscription, owner, expires_at)
    VALUES (p_name, p_owner, moment + make_interval(secs => p_seconds))
    ON CONFLICT (subscription, owner) DO UPDATE SET expires_at = excluded.expires_at;
    DELETE FROM {schema}.subscription_workers AS w WHERE w.subscription = p_name AND w.expires_at <= moment;

    -- Fair shares differ by one at most; who holds most has the larger ones, so that least moves.
    SELECT actual / r.workers + (r.rank <= actual % r.workers)::integer, r.n INTO target, mine
    FROM (
        SELECT w.owner, count(l.partition) AS n, count(*) OVER () AS workers,
            row_number() OVER (ORDER BY count(l.partition) DESC, w.owner) AS rank
        FROM {schema}.subscription_workers AS w
        LEFT JOIN {schema}.subscription_leases AS l ON l.subscription = w.subscription AND l.owner = w.owner
        WHERE w.subscription = p_name
        GROUP BY w.owner
    ) AS r
    WHERE r.owner = p_owner;

    IF mine < target THEN
        -- A lease that is locked belongs to a commit under way: it is left for the next beat, or
        -- every worker would wait behind this one.
        UPDATE {schema}.subscription_leases AS l
        SET owner = p_owner, token = nextval('{schema}.subscription_tokens'::regclass)
        FROM (
            SELECT c.partition FROM {schema}.subscription_leases AS c
            WHERE c.subscription = p_name AND (c.owner IS NULL OR NOT EXISTS (
                SELECT FROM {schema}.subscription_workers AS w WHERE w.subscription = p_name AND w.owner = c.owner
            ))
            ORDER BY c.partition
            LIMIT target - mine
            FOR UPDATE SKIP LOCKED
        ) AS free
        WHERE l.subscription = p_name AND l.partition = free.partition;
    END IF;

    SELECT coalesce(array_agg(l.partition ORDER BY l.partition), '{}'),
        coalesce(array_agg(l.token ORDER BY l.partition), '{}')
    INTO held, tokens
    FROM {schema}.subscription_leases AS l WHERE l.subscription = p_name AND l.owner = p_owner;
    surplus := held[target + 1:];
    SELECT extract(epoch FROM min(w.expires_at) - moment) INTO next_expiry
    FROM {schema}.subscription_workers AS w WHERE w.subscription = p_name AND w.owner <> p_owner;
END $$;

-- Take every lease away, which refuses what its holder saves later, then move the checkpoints.
-- p_position NULL: forget all of it. Returns whether there was such a subscription.
CREATE FUNCTION {schema}.rewind_subscription(p_name text, p_position bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    total integer;
BEGIN
    SELECT s.partitions INTO total FROM {schema}.subscriptions AS s WHERE s.name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE {schema}.subscription_leases
    SET owner = NULL, token = nextval('{schema}.subscription_tokens'::regclass)
    WHERE subscription = p_name;
    PERFORM {schema}.reset_checkpoint(
        CASE total WHEN 1 THEN p_name ELSE p_name || '#' || g || '/' || total END, p_position
    ) FROM generate_series(0, total - 1) AS g;
    IF p_position IS NULL THEN
        DELETE FROM {schema}.parked_events WHERE subscription = p_name;
        DELETE FROM {schema}.subscription_leases WHERE subscription = p_name;
        DELETE FROM {schema}.subscriptions WHERE name = p_name;
    END IF;
    RETURN true;
END $$;
