SELECT coalesce(s.stream_id, e.stream_id), s.version, e.newest, e.stored
FROM {schema}.streams AS s
FULL JOIN (
    SELECT stream_id, max(version) AS newest, count(*) AS stored FROM {schema}.events GROUP BY stream_id
) AS e ON e.stream_id = s.stream_id
WHERE (s.version IS DISTINCT FROM e.newest AND NOT (s.version = 0 AND e.newest IS NULL) OR e.stored <> e.newest)
    -- What was purged is missing on purpose.
    AND NOT EXISTS (
        SELECT FROM {schema}.stream_states AS t WHERE t.stream_id = s.stream_id AND t.purged_version > 0
    )
ORDER BY 1
LIMIT 100
