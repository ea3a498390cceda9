-- Beside events: the same columns and defaults, in {count} partitions by a hash of stream_id. Every unique key of a
-- partitioned table holds the column that it is partitioned by, hence the longer primary key.
DO $$
DECLARE
    owner name;
BEGIN
    CREATE TABLE {schema}.events_hashed (LIKE {schema}.events INCLUDING DEFAULTS INCLUDING COMPRESSION) PARTITION BY HASH (stream_id);
    ALTER TABLE {schema}.events_hashed
        ADD CONSTRAINT events_hashed_pkey PRIMARY KEY (global_position, stream_id),
        ADD CONSTRAINT events_hashed_stream_id_version_key UNIQUE (stream_id, version);
    CREATE INDEX idx_events_hashed_type ON {schema}.events_hashed (event_type);
    CREATE INDEX idx_events_hashed_timestamp ON {schema}.events_hashed (timestamp);
    -- What privacy operations rewrite from now on is copied anew at the end: one that runs now is waited for.
    LOCK TABLE {schema}.privacy_audit IN SHARE MODE;
    EXECUTE format(
        'COMMENT ON TABLE {schema}.events_hashed IS %L',
        (SELECT coalesce(max(a.id), 0)::text FROM {schema}.privacy_audit AS a)
    );
    SELECT pg_get_userbyid(c.relowner) INTO owner FROM pg_class AS c WHERE c.oid = '{schema}.events'::regclass;
    EXECUTE format('ALTER TABLE {schema}.events_hashed OWNER TO %I', owner);
    FOR part IN 0 .. {count} - 1 LOOP
        EXECUTE format(
            'CREATE TABLE {schema}.events_p%s PARTITION OF {schema}.events_hashed '
            'FOR VALUES WITH (MODULUS {count}, REMAINDER %s)', part, part
        );
        EXECUTE format('ALTER TABLE {schema}.events_p%s OWNER TO %I', part, owner);
    END LOOP;
END $$
