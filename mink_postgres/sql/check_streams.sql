SELECT coalesce(s.stream_id, e.stream_id), s.version, e.newest, e.stored
FROM {schema}.streams AS s
FULL JOIN (
    -- What was purged is missing on purpose: only what is above it is counted.
    SELECT v.stream_id, max(v.version) AS newest, count(*) AS stored,
        count(*) FILTER (WHERE v.version > coalesce(t.purged_version, 0)) AS above
    FROM {schema}.events AS v
    LEFT JOIN {schema}.stream_states AS t ON t.stream_id = v.stream_id
    GROUP BY v.stream_id
) AS e ON e.stream_id = s.stream_id
LEFT JOIN {schema}.stream_states AS p ON p.stream_id = s.stream_id
WHERE s.version IS NULL
    OR coalesce(e.above, 0) <> greatest(s.version - coalesce(p.purged_version, 0), 0)
    OR s.version < e.newest
ORDER BY 1
LIMIT 100
