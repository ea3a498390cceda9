SELECT array_agg(m.version ORDER BY m.version),
    -- By way of JSON: schemas older than this column have none.
    array_agg(coalesce((to_jsonb(m) ->> 'oldest_code')::integer, m.version) ORDER BY m.version),
    to_regclass('{schema}.idx_events_event_id') IS NOT NULL
FROM {schema}.schema_migrations AS m
