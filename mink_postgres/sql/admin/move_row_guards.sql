-- Row triggers, in turn, PostgreSQL copies to every partition, also to one that is attached later: what reaches a
-- partition that has no statement trigger is refused, never stored outside of the fence.
DO $made$
BEGIN
    -- Of a store that was in partitions before: the owner may not replace what a superuser has made.
    IF to_regprocedure('{schema}.refuse_row()') IS NULL THEN
        CREATE FUNCTION {schema}.refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% on the partition % went past the guards of events', TG_OP, TG_TABLE_NAME USING
                ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Work on events itself, and see what `mink check` says.';
        END $$;
        EXECUTE format(
            'ALTER FUNCTION {schema}.refuse_row() OWNER TO %I',
            (SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c WHERE c.oid = '{schema}.events'::regclass)
        );
    END IF;
END $made$;
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
