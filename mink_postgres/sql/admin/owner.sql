-- What whoever runs this has made belongs to the owner of events, as all else does: else the owner, who ran the store before,
-- is refused by the tables that a superuser's migration has made.
DO $owner$
DECLARE
    made text;
BEGIN
    FOR made IN
        WITH keeper AS (
            SELECT c.relowner AS oid, c.relnamespace FROM pg_class AS c WHERE c.oid = '{schema}.events'::regclass
        )
        SELECT format('ALTER TABLE {schema}.%I OWNER TO %I', c.relname, pg_get_userbyid(k.oid))
        FROM keeper AS k JOIN pg_class AS c USING (relnamespace)
        WHERE c.relkind = 'r' AND c.relname = ANY ('{tables}')
            AND c.relowner <> k.oid AND pg_get_userbyid(c.relowner) = current_user
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, pg_get_userbyid(k.oid))
        FROM keeper AS k JOIN pg_proc AS p ON p.pronamespace = k.relnamespace
        WHERE p.proname = ANY ('{functions}')
            AND p.proowner <> k.oid AND pg_get_userbyid(p.proowner) = current_user
    LOOP
        EXECUTE made;
    END LOOP;
END $owner$
