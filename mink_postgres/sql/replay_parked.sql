WITH asked AS (
    UPDATE {schema}.parked_events SET replay = TRUE
    WHERE subscription = $1::text AND ($2::bigint IS NULL OR global_position = $2::bigint)
    RETURNING 1
)
SELECT count(*) FROM asked
