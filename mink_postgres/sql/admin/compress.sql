-- What does not fit into its row is compressed by lz4, where the server was built with it (docs/decisions/0145). Of a new
-- store only: in one that is in use, ALTER TABLE would wait for whoever reads a table, and all others behind it.
DO $$
DECLARE
    change text;
BEGIN
    FOR change IN
        SELECT format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', a.attrelid::regclass, a.attname)
        FROM pg_settings AS s, pg_attribute AS a
        WHERE s.name = 'default_toast_compression' AND 'lz4' = ANY (s.enumvals)
            AND a.attrelid IN (
                to_regclass('{schema}.events'), to_regclass('{schema}.snapshots'),
                to_regclass('{schema}.snapshot_details'), to_regclass('{schema}.outbox'),
                to_regclass('{schema}.idempotency'), to_regclass('{schema}.sagas')
            )
            AND a.atttypid IN ('jsonb'::regtype, 'bytea'::regtype) AND a.attstorage = 'x' AND a.attcompression = ''
    LOOP
        EXECUTE change;
    END LOOP;
END $$
