WITH snapshot AS MATERIALIZED (
    SELECT a.*
    FROM {schema}.all_snapshots($1::text) AS a
    -- One that is ahead of its stream would hide events.
    WHERE a.version <= (SELECT s.version FROM {schema}.streams AS s WHERE s.stream_id = $1::text)
        -- One that was saved late, of what was hidden or erased since, reads as missing as well.
        AND NOT EXISTS (SELECT FROM {schema}.erasures AS e WHERE e.stream_id = $1::text AND e.versions @> a.version)
        AND ($2::text IS NULL OR a.snapshot_type = $2::text)
        AND ($3::integer IS NULL OR a.schema_version = $3::integer)
    ORDER BY a.version DESC
    LIMIT 1
)
SELECT true, version, data, snapshot_type, schema_version, is_json, created_at AT TIME ZONE 'UTC',
    NULL::bigint, NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::bytea
FROM snapshot
UNION ALL (
    SELECT false, version, NULL, NULL, NULL, NULL, NULL,
        global_position, event_id, event_type, data::text, metadata::text, timestamptz_send(timestamp)
    FROM {schema}.events
    WHERE stream_id = $1::text AND version > greatest(
        (SELECT p.version FROM snapshot AS p),
        coalesce((SELECT t.hidden_version FROM {schema}.stream_states AS t WHERE t.stream_id = $1::text), 0)
    )
    ORDER BY version
    LIMIT $4::bigint
)
