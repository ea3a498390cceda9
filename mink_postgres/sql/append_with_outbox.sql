SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append_with_outbox($1::text, $2::text, $3::bigint, $4::json, $5::json)
