-- Beside events: the same columns and defaults, with payloads of type {type}, in one table or in {count} partitions by a hash
-- of stream_id. Every unique key of a partitioned table holds the column that it is partitioned by, hence its longer
-- primary key.
DO $$
DECLARE
    owner name;
    payload record;
    placed record;
BEGIN
    -- Where events and its indexes are, whatever the session's default is.
    PERFORM set_config('default_tablespace', '', true);
    CREATE TABLE {schema}.{copy} (
        LIKE {schema}.events INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION
    ) {parted};
    FOR payload IN
        SELECT a.attname AS name, a.attstorage AS storage, a.attcompression AS method FROM pg_attribute AS a
        WHERE a.attrelid = '{schema}.events'::regclass AND a.attname IN ('data', 'metadata')
            AND a.atttypid <> '{type}'::regtype
    LOOP
        -- With the type goes how large values are kept.
        EXECUTE format(
            'ALTER TABLE {schema}.{copy} ALTER COLUMN %1$I TYPE {type}, ALTER COLUMN %1$I SET STORAGE %2$s',
            payload.name,
            CASE payload.storage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
        );
        IF payload.method <> '' THEN
            EXECUTE format(
                'ALTER TABLE {schema}.{copy} ALTER COLUMN %I SET COMPRESSION %s',
                payload.name, CASE payload.method WHEN 'l' THEN 'lz4' ELSE 'pglz' END
            );
        END IF;
    END LOOP;
    ALTER TABLE {schema}.{copy}
        ADD CONSTRAINT {copy}_pkey PRIMARY KEY ({key}),
        ADD CONSTRAINT {copy}_stream_id_version_key UNIQUE (stream_id, version);
    CREATE INDEX idx_{copy}_type ON {schema}.{copy} (event_type);
    CREATE INDEX idx_{copy}_timestamp ON {schema}.{copy} (timestamp);
    FOR placed IN
        SELECT CASE WHEN c.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END AS what,
            replace(c.relname, 'events', '{copy}') AS name, s.spcname AS tablespace
        FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace
        WHERE c.oid = '{schema}.events'::regclass
            OR c.oid IN (SELECT n.indexrelid FROM pg_index AS n WHERE n.indrelid = '{schema}.events'::regclass)
    LOOP
        -- Not that of unique ids, which is made afterwards.
        CONTINUE WHEN to_regclass(format('{schema}.%I', placed.name)) IS NULL;
        EXECUTE format('ALTER %s {schema}.%I SET TABLESPACE %I', placed.what, placed.name, placed.tablespace);
    END LOOP;
    -- What privacy operations rewrite from now on is copied anew at the end: one that runs now is waited for.
    LOCK TABLE {schema}.privacy_audit IN SHARE MODE;
    EXECUTE format(
        'COMMENT ON TABLE {schema}.{copy} IS %L',
        (SELECT coalesce(max(a.id), 0)::text FROM {schema}.privacy_audit AS a)
    );
    SELECT pg_get_userbyid(c.relowner) INTO owner FROM pg_class AS c WHERE c.oid = '{schema}.events'::regclass;
    EXECUTE format('ALTER TABLE {schema}.{copy} OWNER TO %I', owner);
    FOR part IN 0 .. {count} - 1 LOOP
        EXECUTE format(
            'CREATE TABLE {schema}.{copy}_p%s PARTITION OF {schema}.{copy} '
            'FOR VALUES WITH (MODULUS {count}, REMAINDER %s)%s', part, part,
            (
                SELECT format(' TABLESPACE %I', s.spcname) FROM pg_class AS c JOIN pg_tablespace AS s ON s.oid = c.reltablespace
                WHERE c.oid = to_regclass(format('{schema}.events_p%s', part))
            )
        );
        EXECUTE format('ALTER TABLE {schema}.{copy}_p%s OWNER TO %I', part, owner);
    END LOOP;
END $$
