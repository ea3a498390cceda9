-- The events table and its partitions, each with its triggers that nothing disarms, and whether it is a partition.
SELECT c.relname::text, c.relispartition,
    coalesce(array_agg(t.tgname::text) FILTER (WHERE t.tgenabled = 'A'), '{}')
FROM (
    SELECT '{schema}.events'::regclass::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = '{schema}.events'::regclass
) AS r
JOIN pg_class AS c ON c.oid = r.oid
LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid
GROUP BY c.relname, c.relispartition
ORDER BY c.relispartition, c.relname
