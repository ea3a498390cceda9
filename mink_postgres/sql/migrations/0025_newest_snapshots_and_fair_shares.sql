-- oldest code: 15
-- redact_event() as in 0011, with one change. It deleted a stream's newest snapshot and left older ones that had been kept
-- beside it, none of which became the newest: the stream was not listed, and an older state than theirs could be saved, and
-- lost its type and shape at once.
CREATE OR REPLACE FUNCTION {schema}.redact_event(
    p_stream text, p_version bigint, p_data jsonb, p_metadata jsonb, p_by text, p_reason text
) RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    event uuid;
    snapshots bigint;
    parked bigint;
BEGIN
    PERFORM FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    PERFORM {schema}.allow_rewriting();
    UPDATE {schema}.events AS e SET data = p_data, metadata = p_metadata
    WHERE e.stream_id = p_stream AND e.version = p_version RETURNING e.event_id INTO event;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A state that was made of the event may hold what it said.
    SELECT count(*) INTO snapshots FROM {schema}.all_snapshots(p_stream) AS a
    WHERE a.version >= p_version;
    DELETE FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream AND s.version >= p_version;
    DELETE FROM {schema}.snapshot_details AS d WHERE d.stream_id = p_stream AND d.version >= p_version;
    -- The newest of those that are left is the stream's newest now.
    INSERT INTO {schema}.snapshots (stream_id, version, data, created_at)
    SELECT d.stream_id, d.version, d.data, d.created_at FROM {schema}.snapshot_details AS d
    WHERE d.stream_id = p_stream AND d.data IS NOT NULL ORDER BY d.version DESC LIMIT 1
    ON CONFLICT (stream_id) DO NOTHING;
    UPDATE {schema}.snapshot_details AS d SET data = NULL, created_at = NULL
    FROM {schema}.snapshots AS s
    WHERE s.stream_id = p_stream AND d.stream_id = p_stream AND d.version = s.version AND d.data IS NOT NULL;
    -- What a handler said of it may repeat it.
    UPDATE {schema}.parked_events AS k SET error = 'redacted' WHERE k.stream_id = p_stream AND k.version = p_version;
    GET DIAGNOSTICS parked = ROW_COUNT;
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('redact', p_stream, p_version, p_by, p_reason, jsonb_build_object(
        'events', 1, 'snapshots', snapshots, 'parked', parked,
        'messages', {schema}.erase_messages(p_stream, event), 'keys', {schema}.erase_keys(p_stream)
    ));
END $$;

-- What it has left: a newest one that is none, or that is older than others of its stream.
WITH newest AS (
    SELECT DISTINCT ON (d.stream_id) d.stream_id, d.version, d.data, d.created_at
    FROM {schema}.snapshot_details AS d
    WHERE d.data IS NOT NULL
        AND NOT EXISTS (SELECT FROM {schema}.snapshots AS s WHERE s.stream_id = d.stream_id AND s.version >= d.version)
    ORDER BY d.stream_id, d.version DESC
), moved AS (
    INSERT INTO {schema}.snapshots AS s (stream_id, version, data, created_at)
    SELECT n.stream_id, n.version, n.data, n.created_at FROM newest AS n
    ON CONFLICT (stream_id) DO UPDATE
    SET version = excluded.version, data = excluded.data, created_at = excluded.created_at
    WHERE s.version < excluded.version
    RETURNING s.stream_id, s.version
)
UPDATE {schema}.snapshot_details AS d SET data = NULL, created_at = NULL
FROM moved AS m WHERE d.stream_id = m.stream_id AND d.version = m.version;
DELETE FROM {schema}.snapshot_details AS d
WHERE d.data IS NULL
    AND NOT EXISTS (SELECT FROM {schema}.snapshots AS s WHERE s.stream_id = d.stream_id AND s.version = d.version);

-- hold_partitions() as in 0007, with one change: the free partitions are looked for once. Joined to the leases, the look was
-- made again for each lease, where those before it were no longer free, and so its LIMIT did not hold: the first worker
-- that came took all that was free, and had the others' shares to hand back.
CREATE OR REPLACE FUNCTION {schema}.hold_partitions(
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
        WHERE l.subscription = p_name AND l.partition = ANY (ARRAY(
            SELECT c.partition FROM {schema}.subscription_leases AS c
            WHERE c.subscription = p_name AND (c.owner IS NULL OR NOT EXISTS (
                SELECT FROM {schema}.subscription_workers AS w WHERE w.subscription = p_name AND w.owner = c.owner
            ))
            ORDER BY c.partition
            LIMIT target - mine
            FOR UPDATE SKIP LOCKED
        ));
    END IF;

    SELECT coalesce(array_agg(l.partition ORDER BY l.partition), '{}'),
        coalesce(array_agg(l.token ORDER BY l.partition), '{}')
    INTO held, tokens
    FROM {schema}.subscription_leases AS l WHERE l.subscription = p_name AND l.owner = p_owner;
    surplus := held[target + 1:];
    SELECT extract(epoch FROM min(w.expires_at) - moment) INTO next_expiry
    FROM {schema}.subscription_workers AS w WHERE w.subscription = p_name AND w.owner <> p_owner;
END $$;
