SELECT outcome, actual, first_position, last_position, duplicate
FROM {schema}.append($1::text, $2::text, $3::bigint, $4::text::json)
