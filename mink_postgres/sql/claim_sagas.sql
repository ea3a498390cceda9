SELECT saga_id, saga_type, state::text, status, correlation_id, NULL::timestamp, handled, version, claims,
    created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC'
FROM {schema}.claim_sagas($1::integer, $2::float8, $3::text, $4::integer)
ORDER BY saga_id COLLATE "C"
