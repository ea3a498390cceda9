-- With events locked against everybody, and all of it copied: the copy takes its place, with the sequence, the
-- privileges and the guards.
DO $$
DECLARE
    given record;
    part regclass;
BEGIN
    ALTER SEQUENCE {schema}.events_global_position_seq OWNED BY {schema}.{copy}.global_position;
    FOR given IN
        SELECT a.grantee, a.privilege_type AS what, a.is_grantable AS further, '' AS of
        FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.oid = '{schema}.events'::regclass AND a.grantee <> c.relowner
        UNION ALL
        SELECT a.grantee, a.privilege_type, a.is_grantable, format('(%I)', t.attname)
        FROM pg_attribute AS t CROSS JOIN aclexplode(t.attacl) AS a
        WHERE t.attrelid = '{schema}.events'::regclass AND NOT t.attisdropped
    LOOP
        EXECUTE format(
            'GRANT %s %s ON {schema}.{copy} TO %s%s', given.what, given.of,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END,
            CASE WHEN given.further THEN ' WITH GRANT OPTION' ELSE '' END
        );
    END LOOP;

    COMMENT ON TABLE {schema}.{copy} IS NULL;
    DROP TABLE {schema}.events;
    -- The copy, its partitions and all their indexes: what is called after the copy is called after events.
    FOR given IN
        WITH copies AS (
            SELECT '{schema}.{copy}'::regclass::oid AS oid
            UNION ALL
            SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = '{schema}.{copy}'::regclass
        )
        SELECT CASE WHEN c.relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END AS what, c.oid::regclass AS named,
            replace(c.relname, '{copy}', 'events') AS becomes
        FROM pg_class AS c
        WHERE strpos(c.relname, '{copy}') > 0 AND c.oid IN (
            SELECT p.oid FROM copies AS p
            UNION ALL
            SELECT n.indexrelid FROM pg_index AS n WHERE n.indrelid IN (SELECT p.oid FROM copies AS p)
        )
    LOOP
        -- A partition that was detached has kept its indexes' names; a partition's are called whatever is free.
        CONTINUE WHEN given.what = 'INDEX' AND to_regclass(format('{schema}.%I', given.becomes)) IS NOT NULL;
        EXECUTE format('ALTER %s %s RENAME TO %I', given.what, given.named, given.becomes);
    END LOOP;

    -- A statement trigger fires only for the table that the statement names: so each partition has its own.
    FOR part IN
        SELECT '{schema}.events'::regclass
        UNION ALL
        SELECT i.inhrelid::regclass FROM pg_inherits AS i WHERE i.inhparent = '{schema}.events'::regclass
    LOOP
        EXECUTE format(
            'CREATE TRIGGER events_guard_positions BEFORE INSERT ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_positions()', part
        );
        EXECUTE format(
            'CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_events()', part
        );
        EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER events_guard_positions', part);
        EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER events_append_only', part);
    END LOOP;
END $$
