SELECT coalesce(max(version), 0), to_regclass('{schema}.idx_events_event_id') IS NOT NULL
FROM {schema}.schema_migrations
