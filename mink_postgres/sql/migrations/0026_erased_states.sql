-- oldest code: 15
-- Which versions' states may hold what was erased or hidden: from the redacted event on, or all, up to the version that the
-- stream had then. A state of one of them that is saved later may have been read before, and nobody can tell.
CREATE TABLE {schema}.erasures (
    stream_id VARCHAR(500) PRIMARY KEY,
    versions INT8MULTIRANGE NOT NULL
);
INSERT INTO {schema}.erasures (stream_id, versions)
SELECT t.stream_id, int8multirange(int8range(1, greatest(t.hidden_version, t.purged_version), '[]'))
FROM {schema}.stream_states AS t
WHERE greatest(t.hidden_version, t.purged_version) > 0;
-- What was saved late was not given out, and is not kept either.
DELETE FROM {schema}.snapshots AS s USING {schema}.erasures AS e WHERE e.stream_id = s.stream_id AND e.versions @> s.version;
DELETE FROM {schema}.snapshot_details AS d USING {schema}.erasures AS e
WHERE e.stream_id = d.stream_id AND e.versions @> d.version;

-- Whoever may read what privacy operations have done to streams may read this: savers and readers of snapshots look at it,
-- and the release before goes on under the roles that it has.
DO $grant$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT a.grantee FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.oid = '{schema}.stream_states'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    LOOP
        EXECUTE format(
            'GRANT SELECT ON {schema}.erasures TO %s',
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END
        );
    END LOOP;
END $grant$;

-- As in 0008, with one change: a state that may hold what was erased is not saved.
CREATE OR REPLACE FUNCTION {schema}.save_snapshot(
    p_stream text, p_version bigint, p_data bytea, p_type text, p_shape integer, p_json boolean, p_keep integer
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before {schema}.snapshots;
    is_first boolean;
BEGIN
    LOOP
        SELECT * INTO before FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream FOR UPDATE;
        is_first := NOT FOUND;
        EXIT WHEN NOT is_first;
        INSERT INTO {schema}.snapshots (stream_id, version, data, created_at)
        VALUES (p_stream, p_version, p_data, clock_timestamp()) ON CONFLICT (stream_id) DO NOTHING;
        EXIT WHEN FOUND; -- else somebody saved the stream's first one just now
    END LOOP;
    IF before.version > p_version THEN
        RETURN false;
    END IF;
    -- The erasures are looked at once the row is held, and so by another statement: see erase_states().
    IF is_first THEN
        IF EXISTS (SELECT FROM {schema}.erasures AS e WHERE e.stream_id = p_stream AND e.versions @> p_version) THEN
            DELETE FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream;
            RETURN false;
        END IF;
    ELSE
        UPDATE {schema}.snapshots AS s SET version = p_version, data = p_data, created_at = clock_timestamp()
        WHERE s.stream_id = p_stream AND NOT EXISTS (
            SELECT FROM {schema}.erasures AS e WHERE e.stream_id = p_stream AND e.versions @> p_version
        );
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        IF p_keep > 1 AND before.version < p_version THEN
            INSERT INTO {schema}.snapshot_details AS d (stream_id, version, data, created_at)
            VALUES (p_stream, before.version, before.data, before.created_at)
            ON CONFLICT (stream_id, version) DO UPDATE SET data = excluded.data, created_at = excluded.created_at;
        END IF;
    END IF;
    INSERT INTO {schema}.snapshot_details (stream_id, version, snapshot_type, schema_version, is_json)
    VALUES (p_stream, p_version, p_type, p_shape, p_json)
    ON CONFLICT (stream_id, version) DO UPDATE
    SET snapshot_type = excluded.snapshot_type, schema_version = excluded.schema_version,
        is_json = excluded.is_json, data = NULL, created_at = NULL;
    DELETE FROM {schema}.snapshot_details AS d
    WHERE d.stream_id = p_stream AND d.version <= (
        SELECT o.version FROM {schema}.snapshot_details AS o
        WHERE o.stream_id = p_stream ORDER BY o.version DESC OFFSET p_keep LIMIT 1
    );
    RETURN true;
END $$;

-- Notes which states may hold what is being erased, and holds the row that savers lock, also where there is none: a saver who
-- has it already is waited for, and what it saved is there to be deleted; one who comes later waits, and finds the note.
CREATE FUNCTION {schema}.erase_states(p_stream text, p_from bigint, p_to bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.erasures AS e (stream_id, versions)
    VALUES (p_stream, int8multirange(int8range(p_from, p_to, '[]')))
    ON CONFLICT (stream_id) DO UPDATE SET versions = e.versions + excluded.versions;
    LOOP
        PERFORM FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO {schema}.snapshots (stream_id, version, data) VALUES (p_stream, 0, '') ON CONFLICT (stream_id) DO NOTHING;
        IF FOUND THEN
            DELETE FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream;
            EXIT;
        END IF;
    END LOOP;
END $$;

-- As in 0011, with one change: it notes what it hides. No row: the stream is missing, or is deleted already.
CREATE OR REPLACE FUNCTION {schema}.soft_delete_stream(p_stream text, p_category text, p_by text, p_reason text)
RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
BEGIN
    SELECT s.version INTO held FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    IF coalesce(held, 0) = 0 OR EXISTS (
        SELECT FROM {schema}.stream_states AS t WHERE t.stream_id = p_stream AND t.deleted_at IS NOT NULL
    ) THEN
        RETURN;
    END IF;
    PERFORM {schema}.mark_stream(p_stream, p_category);
    UPDATE {schema}.stream_states AS t SET hidden_version = held, deleted_at = clock_timestamp()
    WHERE t.stream_id = p_stream;
    PERFORM {schema}.erase_states(p_stream, 1, held);
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('soft_delete', p_stream, held, p_by, p_reason,
        jsonb_build_object('snapshots', {schema}.delete_snapshots(p_stream, 9223372036854775807)));
END $$;

-- As in 0025, with one change: it notes what it erases. No row: there is no such event.
CREATE OR REPLACE FUNCTION {schema}.redact_event(
    p_stream text, p_version bigint, p_data jsonb, p_metadata jsonb, p_by text, p_reason text
) RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
    event uuid;
    snapshots bigint;
    parked bigint;
BEGIN
    SELECT s.version INTO held FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    PERFORM {schema}.allow_rewriting();
    UPDATE {schema}.events AS e SET data = p_data, metadata = p_metadata
    WHERE e.stream_id = p_stream AND e.version = p_version RETURNING e.event_id INTO event;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A state that was made of the event may hold what it said.
    PERFORM {schema}.erase_states(p_stream, p_version, held);
    SELECT count(*) INTO snapshots FROM {schema}.all_snapshots(p_stream) AS a
    WHERE a.version >= p_version;
    DELETE FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream AND s.version >= p_version;
    DELETE FROM {schema}.snapshot_details AS d WHERE d.stream_id = p_stream AND d.version >= p_version;
    -- The newest of those that are left is the stream's newest now.
    INSERT INTO {schema}.snapshots (stream_id, version, data, created_at)
    SELECT d.stream_id, d.version, d.data, d.created_at FROM {schema}.snapshot_details AS d
    WHERE d.stream_id = p_stream AND d.data IS NOT NULL ORDER BY d.version DESC LIMIT 1
    ON CONFLICT (stream_id) DO NOTHING;
    UPDATE {schema}.snapshot_details AS d SET data = NULL, created_at = NULL
    FROM {schema}.snapshots AS s
    WHERE s.stream_id = p_stream AND d.stream_id = p_stream AND d.version = s.version AND d.data IS NOT NULL;
    -- What a handler said of it may repeat it.
    UPDATE {schema}.parked_events AS k SET error = 'redacted' WHERE k.stream_id = p_stream AND k.version = p_version;
    GET DIAGNOSTICS parked = ROW_COUNT;
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('redact', p_stream, p_version, p_by, p_reason, jsonb_build_object(
        'events', 1, 'snapshots', snapshots, 'parked', parked,
        'messages', {schema}.erase_messages(p_stream, event), 'keys', {schema}.erase_keys(p_stream)
    ));
END $$;

-- Deletes outbox messages, open ones too, of events that were removed from a stream, in whatever stream they are, and of the
-- stream, but for those of the events that it still has.
CREATE FUNCTION {schema}.erase_messages_of(p_stream text, p_events uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    streams text[];
    total bigint;
BEGIN
    WITH erased AS (
        DELETE FROM {schema}.outbox AS o
        WHERE o.event_id = ANY (p_events) OR o.stream_id = p_stream AND (
            o.event_id IS NULL OR o.event_id NOT IN (SELECT e.event_id FROM {schema}.events AS e WHERE e.stream_id = p_stream)
        )
        RETURNING o.stream_id, o.ordered
    )
    SELECT count(*), array_agg(DISTINCT e.stream_id) FILTER (WHERE e.ordered) INTO total, streams FROM erased AS e;
    IF streams IS NOT NULL THEN
        PERFORM {schema}.promote_outbox(streams);
    END IF;
    RETURN total;
END $$;

-- As in 0011, with two changes: it notes what it erases, and deletes the messages of what it removes. It deleted all of the
-- stream, also those of the events that stay, and left those of its events that are in another stream, or in none. No row: the
-- stream is missing.
CREATE OR REPLACE FUNCTION {schema}.purge_stream(p_stream text, p_up_to bigint, p_by text, p_reason text)
RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
    events bigint;
    removed uuid[];
    sagas bigint;
    parked bigint;
BEGIN
    SELECT s.version INTO held FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    IF coalesce(held, 0) = 0 THEN
        RETURN;
    END IF;
    PERFORM {schema}.allow_rewriting();
    WITH gone AS (
        DELETE FROM {schema}.events AS e WHERE e.stream_id = p_stream AND e.version <= p_up_to RETURNING e.event_id
    )
    SELECT count(*), array_agg(g.event_id) INTO events, removed FROM gone AS g;
    IF events > 0 THEN
        PERFORM {schema}.erase_states(p_stream, 1, held);
    END IF;
    INSERT INTO {schema}.stream_states AS t (stream_id, purged_version) VALUES (p_stream, least(held, p_up_to))
    ON CONFLICT (stream_id) DO UPDATE SET purged_version = greatest(t.purged_version, excluded.purged_version);
    UPDATE {schema}.sagas AS g
    SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(), version = g.version + 1, due_at = NULL,
        correlation_id = NULL, state = 'null', handled = '{}'
    WHERE g.correlation_id = p_stream AND g.deleted_at IS NULL;
    GET DIAGNOSTICS sagas = ROW_COUNT;
    DELETE FROM {schema}.parked_events AS k WHERE k.stream_id = p_stream AND k.version <= p_up_to;
    GET DIAGNOSTICS parked = ROW_COUNT;
    RETURN QUERY SELECT * FROM {schema}.audit_privacy(
        'purge', p_stream, least(held, p_up_to), p_by, p_reason, jsonb_build_object(
            'events', events, 'sagas', sagas, 'parked', parked,
            'snapshots', {schema}.delete_snapshots(p_stream, 9223372036854775807),
            'messages', {schema}.erase_messages_of(p_stream, removed), 'keys', {schema}.erase_keys(p_stream)
        )
    );
END $$;
