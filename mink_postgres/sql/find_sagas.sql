SELECT saga_id, saga_type, state::text, status, correlation_id, due_at AT TIME ZONE 'UTC', handled, version, claims,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM {schema}.sagas
WHERE deleted_at IS NULL {filter}
ORDER BY saga_id COLLATE "C"
LIMIT $1::bigint
