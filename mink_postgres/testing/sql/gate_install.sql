-- For the conformance kit only: appends to a stream that is in this table wait before they commit.
CREATE TABLE IF NOT EXISTS {schema}.conformance_holds (
    stream_id TEXT PRIMARY KEY,
    key INTEGER GENERATED ALWAYS AS IDENTITY
);

-- The rows are inserted and their positions allocated; whoever holds the stream's lock says when to go on.
-- A hold is not a lock of the store's own, so the store's time-out for those does not end it.
CREATE OR REPLACE FUNCTION {schema}.conformance_wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
DECLARE
    one integer;
BEGIN
    FOR one IN
        SELECT DISTINCT h.key FROM added AS a JOIN {schema}.conformance_holds AS h ON h.stream_id = a.stream_id
        ORDER BY h.key
    LOOP
        PERFORM pg_advisory_xact_lock_shared('{schema}.conformance_holds'::regclass::oid::int, one);
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER conformance_gate AFTER INSERT ON {schema}.events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {schema}.conformance_wait();
