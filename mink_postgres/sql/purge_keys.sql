DELETE FROM {schema}.idempotency WHERE key = ANY (ARRAY( -- run once, whatever the statistics say (migration 0017)
    SELECT key FROM {schema}.idempotency
    WHERE expires_at <= statement_timestamp()
    ORDER BY expires_at
    LIMIT $1::bigint
    FOR UPDATE SKIP LOCKED
))
RETURNING key
