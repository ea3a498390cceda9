WITH given AS (
    SELECT g.name, g.version FROM unnest(%s::text[], %s::bigint[]) AS g (name, version)
), erased AS (
    INSERT INTO {schema}.erasures (stream_id, versions)
    SELECT g.name, int8multirange(int8range(1, g.version, '[]')) FROM given AS g WHERE g.version > 0
    ON CONFLICT (stream_id) DO NOTHING
)
INSERT INTO {schema}.stream_states (stream_id, purged_version)
SELECT g.name, g.version FROM given AS g
ON CONFLICT (stream_id) DO NOTHING
