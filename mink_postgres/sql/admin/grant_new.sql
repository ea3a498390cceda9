-- Whoever may call feed_mark(), as all roles that `mink grants` has served, may call what these steps have made: where
-- default privileges keep new functions from PUBLIC, the release before would be refused until grants are given anew.
DO $grant$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT p.oid::regprocedure AS made, a.grantee
        FROM pg_proc AS p,
            pg_proc AS known CROSS JOIN aclexplode(coalesce(known.proacl, acldefault('f', known.proowner))) AS a
        WHERE known.oid = '{schema}.feed_mark()'::regprocedure
            AND p.pronamespace = known.pronamespace AND p.proname = ANY ('{names}')
            AND NOT EXISTS (
                SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS has
                WHERE has.grantee IN (a.grantee, 0)
            )
    LOOP
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION %s TO %s', given.made,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END
        );
    END LOOP;
END $grant$
