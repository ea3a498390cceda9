-- A stretch of the feed, whose events are looked at once for all partitions of a subscription.
SELECT e.partition, count(*) FILTER (WHERE e.behind),
    greatest(extract(epoch FROM clock_timestamp() - min(e.timestamp) FILTER (WHERE e.behind)), 0)::float8,
    max(e.global_position), count(*)
FROM (
    SELECT f.global_position, f.timestamp, f.partition, f.global_position > ($3::bigint[])[f.partition + 1] AS behind
    FROM (
        SELECT e.global_position, e.timestamp,
            CASE cardinality($3::bigint[])
                WHEN 1 THEN 0 ELSE {schema}.partition_of(e.stream_id, cardinality($3::bigint[]))
            END AS partition
        FROM {schema}.events AS e
        WHERE e.global_position > $1::bigint AND e.global_position <= $2::bigint
        ORDER BY e.global_position
        LIMIT (SELECT $4::bigint)
    ) AS f
) AS e
GROUP BY e.partition
