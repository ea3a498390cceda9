SELECT outcome, item, actual, first_position, last_position, duplicate
FROM {schema}.append_batch_unique($1::text::json, $2::text::json)
