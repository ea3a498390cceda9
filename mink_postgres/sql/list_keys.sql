SELECT key, completed, response::text, stream_id, metadata::text, reserved_at AT TIME ZONE 'UTC',
    completed_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC'
FROM {schema}.idempotency
WHERE key COLLATE "C" > $1::text AND expires_at > clock_timestamp()
ORDER BY key COLLATE "C"
LIMIT $2::bigint
