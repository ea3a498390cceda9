INSERT INTO {schema}.streams (stream_id, category, version, created_at, updated_at)
SELECT g.name, g.category, 0, g.stamp, g.stamp
FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS g (name, category, stamp)
ORDER BY g.name COLLATE "C"
ON CONFLICT (stream_id) DO NOTHING
