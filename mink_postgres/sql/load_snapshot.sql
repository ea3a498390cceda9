SELECT $1::text, version, data, snapshot_type, schema_version, is_json, created_at AT TIME ZONE 'UTC'
FROM {schema}.all_snapshots($1::text)
WHERE version <= $2::bigint
    -- One that was saved late, of what was hidden or erased since, reads as missing as well.
    AND NOT EXISTS (SELECT FROM {schema}.erasures AS e WHERE e.stream_id = $1::text AND e.versions @> version)
    AND ($3::text IS NULL OR snapshot_type = $3::text)
    AND ($4::integer IS NULL OR schema_version = $4::integer)
ORDER BY version DESC
LIMIT 1
