SELECT stream_id, category, version, created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM {schema}.streams
WHERE stream_id COLLATE "C" > $1::text AND version > 0
ORDER BY stream_id COLLATE "C"
LIMIT $2::bigint
