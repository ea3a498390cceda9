-- With a column's type goes how its large values are compressed: it is told again, of each partition.
DO $json$
DECLARE
    change text;
    changes CONSTANT text[] := ARRAY(
        SELECT format(
            'ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION %s',
            a.attrelid::regclass, a.attname, CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
        )
        FROM pg_attribute AS a
        WHERE a.attname IN ('data', 'metadata') AND a.attcompression <> '' AND (
            a.attrelid = '{schema}.events'::regclass
            OR a.attrelid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = '{schema}.events'::regclass)
        )
    );
BEGIN
    ALTER TABLE {schema}.events ALTER COLUMN data TYPE json, ALTER COLUMN metadata TYPE json;
    FOREACH change IN ARRAY changes LOOP
        EXECUTE change;
    END LOOP;
END $json$
