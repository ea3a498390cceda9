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
