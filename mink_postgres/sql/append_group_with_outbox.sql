SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_group_with_outbox(
    $1::text[], $2::bigint[], $3::integer[], $4::text[]::uuid[], $5::text[], $6::text[]::jsonb[], $7::text[]::jsonb[],
    $8::integer[], $9::text[]::uuid[], $10::text[], $11::text[]::jsonb[], $12::text[]::jsonb[],
    $13::text[], $14::text[]::uuid[], $15::boolean[], $16::float8[], $17::integer[]
)
