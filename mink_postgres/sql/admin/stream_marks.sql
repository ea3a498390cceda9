SELECT t.stream_id, s.version, t.purged_version, t.hidden_version, t.deleted_at AT TIME ZONE 'UTC',
    t.tombstoned_at AT TIME ZONE 'UTC'
FROM {schema}.stream_states AS t
JOIN {schema}.streams AS s ON s.stream_id = t.stream_id
ORDER BY t.stream_id COLLATE "C"
