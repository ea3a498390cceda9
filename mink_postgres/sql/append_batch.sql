SELECT outcome, item, actual, first_position, last_position, duplicate
FROM {schema}.append_batch($1::json, $2::json, false)
