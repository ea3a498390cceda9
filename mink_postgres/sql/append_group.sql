SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_group(
    $1::text[], $2::bigint[], $3::integer[], $4::text[]::uuid[], $5::text[], $6::text[]::jsonb[], $7::text[]::jsonb[],
    NULL
)
