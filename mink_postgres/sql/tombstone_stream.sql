SELECT id, operation, stream_id, version, done_by, reason, counts::text, done_at AT TIME ZONE 'UTC'
FROM {schema}.tombstone_stream($1::text, $2::text, $3::text, $4::text)
