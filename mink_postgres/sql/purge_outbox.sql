DELETE FROM {schema}.outbox WHERE position = ANY (ARRAY( -- run once, whatever the statistics say (migration 0017)
    SELECT position FROM {schema}.outbox
    WHERE status = $1::text AND finished_at <= statement_timestamp() - make_interval(secs => $2::float8)
    ORDER BY finished_at
    LIMIT $3::bigint
    FOR UPDATE SKIP LOCKED
))
RETURNING position
