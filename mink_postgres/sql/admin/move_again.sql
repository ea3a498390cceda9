INSERT INTO {schema}.{copy}
SELECT e.* FROM {schema}.events AS e WHERE e.stream_id = ANY ($1::text[]) AND e.global_position <= $2::bigint
