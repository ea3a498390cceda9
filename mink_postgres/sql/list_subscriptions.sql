SELECT s.name, s.paused_at AT TIME ZONE 'UTC',
    (SELECT count(*) FROM {schema}.parked_events AS p WHERE p.subscription = s.name),
    l.partition, c.position, c.updated_at AT TIME ZONE 'UTC', w.owner, l.token
FROM {schema}.subscriptions AS s
JOIN {schema}.subscription_leases AS l ON l.subscription = s.name
LEFT JOIN {schema}.checkpoints AS c ON c.projection_name =
    CASE s.partitions WHEN 1 THEN s.name ELSE s.name || '#' || l.partition || '/' || s.partitions END
LEFT JOIN {schema}.subscription_workers AS w
    ON w.subscription = s.name AND w.owner = l.owner AND w.expires_at > clock_timestamp()
ORDER BY s.name COLLATE "C", l.partition
