-- Tables that have the name of a partition of events to be, and will not go with events.
SELECT c.relname::text FROM pg_class AS c
WHERE c.relnamespace = '{schema}'::regnamespace AND c.relname = ANY ($1::text[])
    AND NOT EXISTS (
        SELECT FROM pg_inherits AS i
        WHERE i.inhrelid = c.oid
            AND i.inhparent IN (to_regclass('{schema}.events'), to_regclass('{schema}.{copy}'))
    )
ORDER BY 1
