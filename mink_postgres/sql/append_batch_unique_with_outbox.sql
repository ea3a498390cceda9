SELECT outcome, item, actual, first_position, last_position, duplicate
FROM {schema}.append_batch_unique_with_outbox($1::json, $2::json, $3::json)
