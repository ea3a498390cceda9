SELECT key, completed, response::text, stream_id, metadata::text, reserved_at AT TIME ZONE 'UTC',
    completed_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC', token = $2::uuid AND NOT completed
FROM {schema}.reserve_key($1::text, $2::uuid, $3::float8, $4::text, $5::jsonb)
