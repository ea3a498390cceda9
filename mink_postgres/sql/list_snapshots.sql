SELECT s.stream_id, s.version, coalesce(d.snapshot_type, ''), coalesce(d.schema_version, 1), octet_length(s.data),
    s.created_at AT TIME ZONE 'UTC'
FROM {schema}.snapshots AS s
LEFT JOIN {schema}.snapshot_details AS d ON d.stream_id = s.stream_id AND d.version = s.version
WHERE s.stream_id COLLATE "C" > $1::text
ORDER BY s.stream_id COLLATE "C"
LIMIT $2::bigint
