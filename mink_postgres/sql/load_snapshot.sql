SELECT stream_id, version, data, snapshot_type, schema_version, is_json, created_at AT TIME ZONE 'UTC'
FROM {schema}.all_snapshots
WHERE stream_id = $1::text AND version <= $2::bigint
    AND ($3::text IS NULL OR snapshot_type = $3::text)
    AND ($4::integer IS NULL OR schema_version = $4::integer)
ORDER BY version DESC
LIMIT 1
