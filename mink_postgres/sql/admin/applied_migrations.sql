SELECT m.version, m.name, m.checksum, m.applied_at AT TIME ZONE 'UTC',
    -- By way of JSON: schemas older than this column have none.
    coalesce((to_jsonb(m) ->> 'oldest_code')::integer, m.version)
FROM {schema}.schema_migrations AS m
ORDER BY m.version
