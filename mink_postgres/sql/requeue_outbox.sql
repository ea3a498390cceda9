UPDATE {schema}.outbox
SET status = 'pending', attempts = 0, due_at = clock_timestamp(), claimed_by = NULL, finished_at = NULL
WHERE message_id = $1::uuid AND status = 'dead'
RETURNING position
