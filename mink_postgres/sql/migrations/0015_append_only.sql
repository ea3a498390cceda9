-- oldest code: 15
-- Events are append-only in the database itself: UPDATE, DELETE and TRUNCATE are refused, also to the
-- owner. A privacy operation, in its transaction, first calls
--     SELECT {schema}.allow_rewriting();
-- and may then rewrite events until that transaction ends. Whoever calls it still needs the privilege
-- on the table, which no role but the owner has.
CREATE FUNCTION {schema}.allow_rewriting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Names the table and the transaction: a stray SET cannot guess it, and no later transaction has it.
    PERFORM set_config('mink.rewriting_' || '{schema}.events'::regclass::oid, pg_current_xact_id()::text, true);
END $$;

-- A stream that has events keeps its row as well: without it its versions would start again at 1.
CREATE FUNCTION {schema}.guard_streams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('mink.rewriting_' || '{schema}.events'::regclass::oid, true)
        IS DISTINCT FROM pg_current_xact_id()::text
    THEN
        RAISE EXCEPTION 'stream % has events, so its row is not deleted', quote_literal(OLD.stream_id) USING
            ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN OLD;
END $$;

-- A refused append removes the row that it made, at version 0: only that is let through.
CREATE TRIGGER streams_keep BEFORE DELETE ON {schema}.streams
    FOR EACH ROW WHEN (OLD.version > 0) EXECUTE FUNCTION {schema}.guard_streams();
ALTER TABLE {schema}.streams ENABLE ALWAYS TRIGGER streams_keep;

CREATE FUNCTION {schema}.guard_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('mink.rewriting_' || '{schema}.events'::regclass::oid, true)
        IS DISTINCT FROM pg_current_xact_id()::text
    THEN
        RAISE EXCEPTION 'events are append-only, and % would change what was stored', TG_OP USING
            ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Only privacy operations rewrite events; they call allow_rewriting() first in their transaction.';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_events();
-- Else session_replication_role = replica would disarm it.
ALTER TABLE {schema}.events ENABLE ALWAYS TRIGGER events_append_only;
