SELECT id, operation, stream_id, version, done_by, reason, counts::text, done_at AT TIME ZONE 'UTC'
FROM {schema}.soft_delete_stream($1::text, $2::text, $3::text, $4::text)
