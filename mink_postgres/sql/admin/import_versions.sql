UPDATE {schema}.streams AS s SET version = g.version, updated_at = greatest(s.updated_at, g.stamp)
FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS g (name, version, stamp)
WHERE s.stream_id = g.name
