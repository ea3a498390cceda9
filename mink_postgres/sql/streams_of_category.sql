SELECT stream_id, category, version, created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM {schema}.streams
WHERE stream_id COLLATE "C" > $1::text AND stream_id COLLATE "C" >= $3::text
    AND stream_id COLLATE "C" < $3::text || '.' -- what follows '-' in code points
    AND category = $3::text AND version > 0
ORDER BY stream_id COLLATE "C"
LIMIT $2::bigint
