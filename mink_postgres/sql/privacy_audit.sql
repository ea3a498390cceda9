SELECT id, operation, stream_id, version, done_by, reason, counts::text, done_at AT TIME ZONE 'UTC'
FROM {schema}.privacy_audit
WHERE id > $1::bigint AND ($2::text IS NULL OR stream_id = $2::text)
ORDER BY id
LIMIT $3::bigint
