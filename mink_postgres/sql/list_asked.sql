SELECT subscription, global_position, stream_id, version, event_type, attempts, error, parked_at AT TIME ZONE 'UTC', replay
FROM {schema}.parked_events
WHERE replay AND ($1::text IS NULL OR subscription = $1::text)
ORDER BY subscription COLLATE "C", global_position
