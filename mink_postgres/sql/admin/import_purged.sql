INSERT INTO {schema}.stream_states (stream_id, purged_version)
SELECT g.name, g.version FROM unnest(%s::text[], %s::bigint[]) AS g (name, version)
ON CONFLICT (stream_id) DO NOTHING
