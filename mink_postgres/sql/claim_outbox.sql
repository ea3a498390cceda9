SELECT suspect, position, message_id, destination, payload, headers, stream_id, event_id, ordered, attempts,
    max_attempts, due_at, last_error, created_at, token
FROM {schema}.claim_outbox($1::text, $2::integer, $3::float8)
ORDER BY suspect, position
