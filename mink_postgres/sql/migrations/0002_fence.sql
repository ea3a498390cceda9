-- The store's identity: positions belong to one history (FEED-08).
CREATE TABLE {schema}.store (
    singleton BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    identity UUID NOT NULL DEFAULT gen_random_uuid(),
    epoch BIGINT NOT NULL DEFAULT 1
);
INSERT INTO {schema}.store DEFAULT VALUES;

-- Before a transaction allocates its first position it takes a shared lock that names L, the highest
-- position allocated so far. Whatever it allocates is above L, and PostgreSQL releases the lock only
-- after the commit has become visible. A reader that sees no lock below p has every event up to p.
CREATE FUNCTION {schema}.fence() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    events CONSTANT oid := '{schema}.events'::regclass;
    flag CONSTANT text := 'mink.fence_' || events;
    -- The transaction's own id: a stray SET cannot guess it, and no later transaction has it.
    me CONSTANT text := pg_current_xact_id()::text;
    high bigint;
BEGIN
    IF current_setting(flag, true) IS DISTINCT FROM me THEN
        -- Not last_value: that reads 1 before the first nextval, and event 1 would be lost.
        high := coalesce(pg_sequence_last_value('{schema}.events_global_position_seq'::regclass), 0);
        -- Advisory keys are two signed 32-bit ints; the reader compares modulo 2^32.
        PERFORM pg_advisory_xact_lock_shared(
            (((events::bigint + 2147483648) & 4294967295) - 2147483648)::int,
            (((high + 2147483648) & 4294967295) - 2147483648)::int
        );
        -- Local to the transaction, and undone with the lock by a rollback to a savepoint.
        PERFORM set_config(flag, me, true);
        -- A position that was handed out must survive a crash.
        IF current_setting('synchronous_commit') = 'off' THEN
            PERFORM set_config('synchronous_commit', 'on', true);
        END IF;
    END IF;
END $$;

CREATE FUNCTION {schema}.guard_positions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.fence();
    RETURN NULL;
END $$;

-- A statement trigger fires before the column default allocates, for raw INSERT and COPY as well.
CREATE TRIGGER events_guard_positions BEFORE INSERT ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.guard_positions();
-- Else session_replication_role = replica would disarm it.
ALTER TABLE {schema}.events ENABLE ALWAYS TRIGGER events_guard_positions;

-- Up to where the feed is settled. The caller reads events in a LATER statement: within this one the
-- snapshot would be older than the look at the locks, and an append ending in between would be skipped.
CREATE FUNCTION {schema}.feed_mark(
    OUT mark bigint, OUT high bigint, OUT identity uuid, OUT epoch bigint, OUT refusal text
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    positions CONSTANT regclass := '{schema}.events_global_position_seq'::regclass;
    lowest bigint;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        refusal := 'isolation';
        RETURN;
    ELSIF pg_is_in_recovery() THEN
        refusal := 'standby';
        RETURN;
    ELSIF NOT has_sequence_privilege(positions, 'SELECT') THEN
        refusal := 'privilege';
        RETURN;
    END IF;
    -- First the highest position, then the locks: the other way round, a position allocated in
    -- between would count as settled.
    high := coalesce(pg_sequence_last_value(positions), 0);
    SELECT min(high + ((l.objid::bigint - high + 2147483648) & 4294967295) - 2147483648) INTO lowest
    FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 2
        AND l.classid = '{schema}.events'::regclass
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    mark := least(high, coalesce(lowest, high));
    SELECT s.identity, s.epoch INTO identity, epoch FROM {schema}.store AS s;
END $$;
