SELECT max(n.global_position) FROM (
    SELECT e.global_position FROM {schema}.events AS e
    WHERE e.global_position > $1::bigint AND e.global_position <= $2::bigint
    ORDER BY e.global_position LIMIT $3::bigint
) AS n
