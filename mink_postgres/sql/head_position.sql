SELECT global_position FROM {schema}.events
WHERE global_position <= $1::bigint
ORDER BY global_position DESC
LIMIT 1
