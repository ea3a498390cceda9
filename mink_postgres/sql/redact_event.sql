SELECT id, operation, stream_id, version, done_by, reason, counts::text, done_at AT TIME ZONE 'UTC'
FROM {schema}.redact_event($1::text, $2::bigint, $3::jsonb, $4::jsonb, $5::text, $6::text)
