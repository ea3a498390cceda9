SELECT stream_id FROM {schema}.stream_states
WHERE stream_id = ANY (%s::text[]) AND tombstoned_at IS NOT NULL
ORDER BY stream_id COLLATE "C"
LIMIT 1
