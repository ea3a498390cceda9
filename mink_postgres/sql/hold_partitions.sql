SELECT actual, paused, held, tokens, surplus, next_expiry
FROM {schema}.hold_partitions($1::text, $2::text, $3::integer, $4::float8)
