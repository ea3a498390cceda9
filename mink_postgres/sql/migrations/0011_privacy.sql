-- What privacy operations have done to a stream. Such a stream is marked by a negative streams.id, which
-- appends look at in the statement that locks the row: the others pay nothing, and none slips by. Readers
-- never see the number.
CREATE TABLE {schema}.stream_states (
    stream_id VARCHAR(500) PRIMARY KEY,
    hidden_version BIGINT NOT NULL DEFAULT 0, -- soft-deleted: events up to here read as missing
    deleted_at TIMESTAMPTZ, -- until it is appended to again
    tombstoned_at TIMESTAMPTZ,
    purged_version BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE {schema}.privacy_audit (
    id BIGSERIAL PRIMARY KEY,
    operation TEXT NOT NULL,
    stream_id VARCHAR(500) NOT NULL,
    version BIGINT NOT NULL,
    done_by VARCHAR(500) NOT NULL,
    reason TEXT NOT NULL,
    counts JSONB NOT NULL,
    done_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_privacy_audit_stream_id ON {schema}.privacy_audit (stream_id, id);

-- An append to a marked stream: refused when it is tombstoned; a soft-deleted one is missing to it, and
-- goes on after its hidden events.
CREATE FUNCTION {schema}.append_marked(
    p_stream text, p_expected bigint, p_events json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    n CONSTANT integer := json_array_length(p_events);
    state {schema}.stream_states;
    gone boolean;
    wanted bigint;
    stamp timestamptz;
BEGIN
    SELECT s.version INTO actual FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    SELECT * INTO state FROM {schema}.stream_states AS t WHERE t.stream_id = p_stream;
    IF state.tombstoned_at IS NOT NULL THEN
        outcome := 'tombstoned';
        RETURN;
    END IF;
    gone := state.deleted_at IS NOT NULL;
    wanted := CASE WHEN p_expected = 0 THEN state.hidden_version ELSE p_expected END;
    IF gone AND (p_expected = -2 OR p_expected > 0 AND p_expected = actual) THEN
        outcome := 'conflict';
        actual := 0;
        RETURN;
    ELSIF NOT (wanted = actual OR wanted = -1 OR (wanted = -2 AND actual > 0)) THEN
        IF wanted < 0 THEN
            outcome := 'conflict';
        ELSE
            SELECT r.outcome, r.first_position, r.last_position, r.duplicate
            INTO outcome, first_position, last_position, duplicate
            FROM {schema}.find_repeat(p_stream, wanted, p_events) AS r;
        END IF;
        actual := CASE WHEN outcome = 'repeated' THEN wanted WHEN gone THEN 0 ELSE actual END;
        RETURN;
    END IF;

    UPDATE {schema}.streams AS s
    SET version = s.version + n, updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')
    WHERE s.stream_id = p_stream
    RETURNING s.updated_at INTO stamp;
    UPDATE {schema}.stream_states AS t SET deleted_at = NULL WHERE t.stream_id = p_stream AND gone;
    WITH added AS (
        INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
        SELECT p_stream, actual + e.k, e.i, e.t, coalesce(e.d, 'null'), e.m, stamp
        FROM ROWS FROM (json_to_recordset(p_events) AS (i uuid, t text, d jsonb, m jsonb))
            WITH ORDINALITY AS e (i, t, d, m, k)
        RETURNING global_position
    )
    SELECT min(a.global_position), max(a.global_position) INTO first_position, last_position FROM added AS a;
    outcome := 'appended';
END $$;

-- As in 0003, but for marked streams. p_expected: a version, -1 for ANY, -2 for STREAM_EXISTS. p_events: [{i, t, d, m}, …].
-- A refusal is a result, never an exception: the caller's transaction stays usable (TX-03).
CREATE OR REPLACE FUNCTION {schema}.append(
    p_stream text, p_category text, p_expected bigint, p_events json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    n CONSTANT integer := json_array_length(p_events);
    stamp timestamptz;
    surrogate bigint;
BEGIN
    LOOP
        -- The common case in one statement: check, lock and bump. The stamp is taken under the lock
        -- and never goes back, whatever the clock does (READ-07).
        UPDATE {schema}.streams AS s
        SET version = s.version + n,
            updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')
        WHERE s.stream_id = p_stream AND s.id > 0
            AND (s.version = p_expected OR p_expected = -1 OR (p_expected = -2 AND s.version > 0))
        RETURNING s.version - n, s.updated_at INTO actual, stamp;
        EXIT WHEN FOUND;

        SELECT s.version, s.id INTO actual, surrogate FROM {schema}.streams AS s WHERE s.stream_id = p_stream;
        IF surrogate < 0 THEN
            SELECT m.outcome, m.actual, m.first_position, m.last_position, m.duplicate
            INTO outcome, actual, first_position, last_position, duplicate
            FROM {schema}.append_marked(p_stream, p_expected, p_events) AS m;
            RETURN;
        ELSIF surrogate IS NULL THEN
            actual := 0;
            IF p_expected IN (0, -1) THEN
                stamp := clock_timestamp();
                INSERT INTO {schema}.streams (stream_id, category, version, created_at, updated_at)
                VALUES (p_stream, p_category, n, stamp, stamp) ON CONFLICT (stream_id) DO NOTHING;
                EXIT WHEN FOUND;
                CONTINUE; -- somebody else created it just now
            END IF;
        ELSIF actual = p_expected OR p_expected = -1 OR (p_expected = -2 AND actual > 0) THEN
            CONTINUE; -- it became true between the two statements
        END IF;

        IF p_expected < 0 THEN
            outcome := 'conflict';
        ELSE
            SELECT r.outcome, r.first_position, r.last_position, r.duplicate
            INTO outcome, first_position, last_position, duplicate
            FROM {schema}.find_repeat(p_stream, p_expected, p_events) AS r;
            IF outcome = 'repeated' THEN
                actual := p_expected;
            END IF;
        END IF;
        RETURN;
    END LOOP;

    WITH added AS (
        INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
        SELECT p_stream, actual + e.k, e.i, e.t, coalesce(e.d, 'null'), e.m, stamp
        FROM ROWS FROM (json_to_recordset(p_events) AS (i uuid, t text, d jsonb, m jsonb))
            WITH ORDINALITY AS e (i, t, d, m, k)
        RETURNING global_position
    )
    SELECT min(a.global_position), max(a.global_position) INTO first_position, last_position FROM added AS a;
    outcome := 'appended';
END $$;

-- append_batch over marked streams: what it expects of a soft-deleted one is put into other words first.
ALTER FUNCTION {schema}.append_batch(json, json, boolean) RENAME TO append_batch_unmarked;

CREATE FUNCTION {schema}.append_batch(p_streams json, p_items json, p_unique boolean)
RETURNS TABLE (
    outcome text, item integer, actual bigint, first_position bigint, last_position bigint, duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    names CONSTANT text[] := ARRAY(
        SELECT x.s FROM ROWS FROM (json_to_recordset(p_streams) AS (s text)) WITH ORDINALITY AS x (s, k) ORDER BY x.k
    );
    reworded json;
    gone text[];
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.streams AS s WHERE s.stream_id = ANY (names) AND s.id < 0) THEN
        RETURN QUERY SELECT * FROM {schema}.append_batch_unmarked(p_streams, p_items, p_unique);
        IF EXISTS (SELECT FROM {schema}.streams AS s WHERE s.stream_id = ANY (names) AND s.id < 0) THEN
            RAISE EXCEPTION 'a stream of the batch was deleted or tombstoned just now'
                USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN;
    END IF;

    PERFORM FROM {schema}.streams AS s WHERE s.stream_id = ANY (names) ORDER BY s.stream_id COLLATE "C" FOR UPDATE;
    SELECT 'tombstoned', x.item INTO outcome, item
    FROM ROWS FROM (json_to_recordset(p_items) AS (k integer)) WITH ORDINALITY AS x (k, item)
    JOIN {schema}.stream_states AS t ON t.stream_id = names[x.k] AND t.tombstoned_at IS NOT NULL
    ORDER BY x.item LIMIT 1;
    IF FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;

    gone := ARRAY(
        SELECT t.stream_id FROM {schema}.stream_states AS t
        WHERE t.stream_id = ANY (names) AND t.deleted_at IS NOT NULL
    );
    SELECT json_agg(json_build_object('k', x.k, 'e', x.e, 'x', CASE
        -- The stream's first item sees it as missing; later ones see what that item has made of it.
        WHEN x.first AND x.x = 0 THEN coalesce(t.hidden_version, 0)
        WHEN x.first AND t.deleted_at IS NOT NULL AND (x.x = -2 OR x.x = s.version) THEN 9000000000000000000
        ELSE x.x
    END) ORDER BY x.item)
    INTO reworded
    FROM (
        SELECT i.k, i.x, i.e, i.item, i.item = min(i.item) OVER (PARTITION BY i.k) AS first
        FROM ROWS FROM (json_to_recordset(p_items) AS (k integer, x bigint, e json))
            WITH ORDINALITY AS i (k, x, e, item)
    ) AS x
    LEFT JOIN {schema}.streams AS s ON s.stream_id = names[x.k]
    LEFT JOIN {schema}.stream_states AS t ON t.stream_id = names[x.k];

    FOR outcome, item, actual, first_position, last_position, duplicate IN
        SELECT * FROM {schema}.append_batch_unmarked(p_streams, reworded, p_unique)
    LOOP
        IF outcome = 'conflict' AND names[(p_items -> (item - 1) ->> 'k')::integer] = ANY (gone) THEN
            actual := 0;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF outcome = 'appended' THEN
        UPDATE {schema}.stream_states AS t SET deleted_at = NULL WHERE t.stream_id = ANY (gone);
    END IF;
END $$;

-- Locks and marks a stream, and gives its version; a tombstone may stand where no stream was.
CREATE FUNCTION {schema}.mark_stream(p_stream text, p_category text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
BEGIN
    LOOP
        UPDATE {schema}.streams AS s SET id = -abs(s.id) WHERE s.stream_id = p_stream RETURNING s.version INTO held;
        EXIT WHEN FOUND;
        INSERT INTO {schema}.streams (id, stream_id, category)
        VALUES (-nextval(pg_get_serial_sequence('{schema}.streams', 'id')), p_stream, p_category)
        ON CONFLICT (stream_id) DO NOTHING RETURNING version INTO held;
        EXIT WHEN FOUND;
    END LOOP;
    INSERT INTO {schema}.stream_states (stream_id) VALUES (p_stream) ON CONFLICT (stream_id) DO NOTHING;
    RETURN held;
END $$;

CREATE FUNCTION {schema}.audit_privacy(
    p_operation text, p_stream text, p_version bigint, p_by text, p_reason text, p_counts jsonb
) RETURNS SETOF {schema}.privacy_audit LANGUAGE sql AS $$
    INSERT INTO {schema}.privacy_audit (operation, stream_id, version, done_by, reason, counts, done_at)
    VALUES (p_operation, p_stream, p_version, p_by, p_reason, p_counts, clock_timestamp())
    RETURNING *
$$;

-- No row: the stream is missing, or is deleted already.
CREATE FUNCTION {schema}.soft_delete_stream(p_stream text, p_category text, p_by text, p_reason text)
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
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('soft_delete', p_stream, held, p_by, p_reason,
        jsonb_build_object('snapshots', {schema}.delete_snapshots(p_stream, 9223372036854775807)));
END $$;

CREATE FUNCTION {schema}.tombstone_stream(p_stream text, p_category text, p_by text, p_reason text)
RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    held CONSTANT bigint := {schema}.mark_stream(p_stream, p_category);
BEGIN
    UPDATE {schema}.stream_states AS t SET tombstoned_at = coalesce(t.tombstoned_at, clock_timestamp())
    WHERE t.stream_id = p_stream;
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('tombstone', p_stream, held, p_by, p_reason, '{}');
END $$;

-- Erases what idempotency keys of a stream say; the keys stay, so that no work is done twice.
CREATE FUNCTION {schema}.erase_keys(p_stream text) RETURNS bigint LANGUAGE sql AS $$
    WITH erased AS (
        UPDATE {schema}.idempotency SET response = CASE WHEN completed THEN 'null'::jsonb END, metadata = '{}'
        WHERE stream_id = p_stream RETURNING key
    )
    SELECT count(*) FROM erased
$$;

-- Deletes outbox messages of a stream (p_event NULL) or of an event, open ones too.
CREATE FUNCTION {schema}.erase_messages(p_stream text, p_event uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    streams text[];
    total bigint;
BEGIN
    WITH erased AS (
        DELETE FROM {schema}.outbox AS o
        WHERE p_event IS NULL AND o.stream_id = p_stream OR o.event_id = p_event
        RETURNING o.stream_id, o.ordered
    )
    SELECT count(*), array_agg(DISTINCT e.stream_id) FILTER (WHERE e.ordered) INTO total, streams FROM erased AS e;
    IF streams IS NOT NULL THEN
        PERFORM {schema}.promote_outbox(streams);
    END IF;
    RETURN total;
END $$;

-- No row: there is no such event. The row is rewritten in place: it keeps id, type, version, position and
-- time, and readers, who go by position alone, neither skip it nor see it twice.
CREATE FUNCTION {schema}.redact_event(
    p_stream text, p_version bigint, p_data jsonb, p_metadata jsonb, p_by text, p_reason text
) RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    event uuid;
    snapshots bigint;
    parked bigint;
BEGIN
    PERFORM FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    PERFORM {schema}.allow_rewriting();
    UPDATE {schema}.events AS e SET data = p_data, metadata = p_metadata
    WHERE e.stream_id = p_stream AND e.version = p_version RETURNING e.event_id INTO event;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- A state that was made of the event may hold what it said.
    SELECT count(*) INTO snapshots FROM {schema}.all_snapshots(p_stream) AS a
    WHERE a.version >= p_version;
    DELETE FROM {schema}.snapshots AS s WHERE s.stream_id = p_stream AND s.version >= p_version;
    DELETE FROM {schema}.snapshot_details AS d WHERE d.stream_id = p_stream AND d.version >= p_version;
    -- What a handler said of it may repeat it.
    UPDATE {schema}.parked_events AS k SET error = 'redacted' WHERE k.stream_id = p_stream AND k.version = p_version;
    GET DIAGNOSTICS parked = ROW_COUNT;
    RETURN QUERY SELECT * FROM {schema}.audit_privacy('redact', p_stream, p_version, p_by, p_reason, jsonb_build_object(
        'events', 1, 'snapshots', snapshots, 'parked', parked,
        'messages', {schema}.erase_messages(p_stream, event), 'keys', {schema}.erase_keys(p_stream)
    ));
END $$;

-- No row: the stream is missing. Its row stays, so that versions are never given twice.
CREATE FUNCTION {schema}.purge_stream(p_stream text, p_up_to bigint, p_by text, p_reason text)
RETURNS SETOF {schema}.privacy_audit LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
    events bigint;
    sagas bigint;
    parked bigint;
BEGIN
    SELECT s.version INTO held FROM {schema}.streams AS s WHERE s.stream_id = p_stream FOR UPDATE;
    IF coalesce(held, 0) = 0 THEN
        RETURN;
    END IF;
    PERFORM {schema}.allow_rewriting();
    DELETE FROM {schema}.events AS e WHERE e.stream_id = p_stream AND e.version <= p_up_to;
    GET DIAGNOSTICS events = ROW_COUNT;
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
            'messages', {schema}.erase_messages(p_stream, NULL), 'keys', {schema}.erase_keys(p_stream)
        )
    );
END $$;
