SELECT position, message_id, destination, payload::text, headers::text, stream_id, event_id, ordered,
    CASE status WHEN 'waiting' THEN 'pending' ELSE status END, attempts,
    max_attempts, due_at AT TIME ZONE 'UTC', claimed_by, last_error, created_at AT TIME ZONE 'UTC',
    finished_at AT TIME ZONE 'UTC'
FROM {schema}.outbox
WHERE {condition}
ORDER BY position
LIMIT $2::bigint
