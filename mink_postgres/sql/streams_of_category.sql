SELECT stream_id, category, version, created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC',
    CASE WHEN id < 0 THEN (SELECT t.deleted_at AT TIME ZONE 'UTC' FROM {schema}.stream_states AS t WHERE t.stream_id = s.stream_id) END
FROM {schema}.streams AS s
WHERE stream_id COLLATE "C" > $1::text AND stream_id COLLATE "C" >= $3::text
    AND stream_id COLLATE "C" < $3::text || '.' -- what follows '-' in code points
    AND category = $3::text AND version > 0
ORDER BY stream_id COLLATE "C"
LIMIT $2::bigint
