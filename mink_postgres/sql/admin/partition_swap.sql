-- With events locked against everybody, and all of it copied: the copy takes its place, with the sequence, the
-- privileges and the guards.
DO $$
DECLARE
    given record;
    part regclass;
BEGIN
    ALTER SEQUENCE {schema}.events_global_position_seq OWNED BY {schema}.events_hashed.global_position;
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
            'GRANT %s %s ON {schema}.events_hashed TO %s%s', given.what, given.of,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END,
            CASE WHEN given.further THEN ' WITH GRANT OPTION' ELSE '' END
        );
    END LOOP;

    COMMENT ON TABLE {schema}.events_hashed IS NULL;
    DROP TABLE {schema}.events;
    ALTER TABLE {schema}.events_hashed RENAME TO events;
    ALTER TABLE {schema}.events RENAME CONSTRAINT events_hashed_pkey TO events_pkey;
    ALTER TABLE {schema}.events RENAME CONSTRAINT events_hashed_stream_id_version_key TO events_stream_id_version_key;
    ALTER INDEX {schema}.idx_events_hashed_type RENAME TO idx_events_type;
    ALTER INDEX {schema}.idx_events_hashed_timestamp RENAME TO idx_events_timestamp;

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
END $$;

-- Row triggers, in turn, PostgreSQL copies to every partition, also to one that is attached later: what reaches a
-- partition that has no statement trigger is refused, never stored outside of the fence.
CREATE OR REPLACE FUNCTION {schema}.refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on the partition % went past the guards of events', TG_OP, TG_TABLE_NAME USING
        ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Work on events itself, and see what `mink check` says.';
END $$;
CREATE TRIGGER events_fenced_rows BEFORE INSERT ON {schema}.events FOR EACH ROW
    WHEN (current_setting('mink.fence_' || '{schema}.events'::regclass::oid, true)
        IS DISTINCT FROM pg_current_xact_id()::text)
    EXECUTE FUNCTION {schema}.refuse_row();
CREATE TRIGGER events_kept_rows BEFORE UPDATE OR DELETE ON {schema}.events FOR EACH ROW
    WHEN (current_setting('mink.rewriting_' || '{schema}.events'::regclass::oid, true)
        IS DISTINCT FROM pg_current_xact_id()::text)
    EXECUTE FUNCTION {schema}.refuse_row();
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN
        SELECT '{schema}.events'::regclass
        UNION ALL
        SELECT i.inhrelid::regclass FROM pg_inherits AS i WHERE i.inhparent = '{schema}.events'::regclass
    LOOP
        EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER events_fenced_rows', part);
        EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER events_kept_rows', part);
    END LOOP;
END $$
