INSERT INTO {schema}.streams (stream_id, category, version, created_at, updated_at)
SELECT g.name, g.category, g.version, g.first, greatest(g.first, g.newest)
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
    AS g (name, category, version, first, newest)
ORDER BY g.name COLLATE "C"
ON CONFLICT (stream_id) DO NOTHING
RETURNING stream_id
