SELECT saved, actual, created_at, updated_at
FROM {schema}.save_saga(
    $1::text, $2::bigint, $3::text, $4::text, $5::text, $6::jsonb, $7::timestamptz, $8::uuid[]
)
