SELECT array_agg(m.version ORDER BY m.version),
    -- By way of JSON: schemas older than this column have none.
    array_agg(coalesce((to_jsonb(m) ->> 'oldest_code')::integer, m.version) ORDER BY m.version),
    -- One that is being built, or whose building failed, keeps nothing unique.
    EXISTS (
        SELECT FROM pg_index AS x
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
        WHERE x.indexrelid = to_regclass('{schema}.idx_events_event_id')
            AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indnkeyatts = 1
            AND a.attname = 'event_id'
    ),
    EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = to_regclass('{schema}.events') AND a.attname = 'data' AND a.atttypid = 'json'::regtype
    ),
    to_regprocedure('{schema}.append_one(text, text, bigint, uuid, text, json, json)') IS NOT NULL
FROM {schema}.schema_migrations AS m
