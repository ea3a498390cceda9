SELECT outcome, actual
FROM {schema}.save_checkpoint(
    $1::text, $2::bigint, $3::bigint, $4::uuid, $5::bigint, $6::text, $7::integer, $8::bigint
)
