SELECT id, operation, stream_id, version, done_by, reason, counts::text, done_at AT TIME ZONE 'UTC'
FROM {schema}.purge_stream($1::text, $2::bigint, $3::text, $4::text)
