SELECT s.name, s.paused_at AT TIME ZONE 'UTC',
    (SELECT count(*) FROM {schema}.parked_events AS p WHERE p.subscription = s.name),
    l.partition, c.position, c.updated_at AT TIME ZONE 'UTC', w.owner, l.token, lag.events,
    coalesce(greatest(extract(epoch FROM clock_timestamp() - lag.oldest), 0), 0)::float8
FROM {schema}.subscriptions AS s
JOIN {schema}.subscription_leases AS l ON l.subscription = s.name
LEFT JOIN {schema}.checkpoints AS c ON c.projection_name =
    CASE s.partitions WHEN 1 THEN s.name ELSE s.name || '#' || l.partition || '/' || s.partitions END
LEFT JOIN {schema}.subscription_workers AS w
    ON w.subscription = s.name AND w.owner = l.owner AND w.expires_at > clock_timestamp()
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(b.timestamp) AS oldest FROM (
        SELECT e.timestamp FROM {schema}.events AS e
        WHERE e.global_position > coalesce(c.position, 0) AND e.global_position <= $1::bigint
            AND (s.partitions = 1 OR {schema}.partition_of(e.stream_id, s.partitions) = l.partition)
        ORDER BY e.global_position
        LIMIT 10000
    ) AS b
) AS lag
ORDER BY s.name COLLATE "C", l.partition
