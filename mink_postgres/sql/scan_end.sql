SELECT {edge}(global_position), count(*) FROM (
    SELECT global_position FROM {schema}.events
    WHERE global_position > $1::bigint AND global_position <= $2::bigint
    ORDER BY global_position {order}
    LIMIT $3::bigint
) AS scanned
