UPDATE {schema}.idempotency
SET completed = true, response = $3::jsonb, completed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $4::float8)
WHERE key = $1::text AND token = $2::uuid AND expires_at > clock_timestamp()
    -- The repeat of a call whose reply was lost says the same.
    AND (NOT completed OR response::text = $3::jsonb::text)
RETURNING key, completed, response::text, stream_id, metadata::text, reserved_at AT TIME ZONE 'UTC',
    completed_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC'
