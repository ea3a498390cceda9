-- oldest code: 15
-- The messages of an append, none of which may be known. One that comes at the same moment by another call is
-- refused by the unique index, and the append with it: no event is stored without its messages (OUTBOX-01).
CREATE FUNCTION {schema}.store_messages(p_messages json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
BEGIN
    INSERT INTO {schema}.outbox (
        message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
    )
    SELECT g.i, g.d, coalesce(g.p, 'null'), g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
    FROM json_to_recordset(p_messages) AS g (
        i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean, w float8, m integer
    );
END $$;

-- Where a message id is known, append() says what the call is: a repeat, a conflict, a closed stream. Only what it
-- would store is refused for the id.
CREATE OR REPLACE FUNCTION {schema}.append_with_outbox(
    p_stream text, p_category text, p_expected bigint, p_events json, p_messages json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    known uuid;
BEGIN
    -- OFFSET 0: one look into the index an id, whatever the planner believes of the table's size.
    SELECT g.i INTO known FROM json_to_recordset(p_messages) AS g (i uuid)
    WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0) LIMIT 1;
    IF known IS NULL THEN
        SELECT a.outcome, a.actual, a.first_position, a.last_position, a.duplicate
        INTO outcome, actual, first_position, last_position, duplicate
        FROM {schema}.append(p_stream, p_category, p_expected, p_events) AS a;
        IF outcome = 'appended' THEN
            PERFORM {schema}.store_messages(p_messages);
        END IF;
        RETURN;
    END IF;
    BEGIN
        SELECT a.outcome, a.actual, a.first_position, a.last_position, a.duplicate
        INTO outcome, actual, first_position, last_position, duplicate
        FROM {schema}.append(p_stream, p_category, p_expected, p_events) AS a;
        IF outcome = 'appended' THEN
            RAISE EXCEPTION SQLSTATE 'MK001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'MK001' THEN -- undoes the append, and only that
        outcome := 'duplicate_message';
        duplicate := known;
    END;
END $$;

-- As in 0009, but for store_messages().
CREATE OR REPLACE FUNCTION {schema}.append_batch_unique_with_outbox(p_streams json, p_items json, p_messages json)
RETURNS TABLE (
    outcome text, item integer, actual bigint, first_position bigint, last_position bigint, duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    known uuid;
BEGIN
    -- OFFSET 0: one look into the index an id, whatever the planner believes of the table's size.
    SELECT g.i INTO known FROM json_to_recordset(p_messages) AS g (i uuid)
    WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0) LIMIT 1;
    BEGIN
        FOR outcome, item, actual, first_position, last_position, duplicate IN
            SELECT * FROM {schema}.append_batch_unique(p_streams, p_items)
        LOOP
            IF outcome = 'appended' AND known IS NOT NULL THEN
                RAISE EXCEPTION SQLSTATE 'MK001';
            END IF;
            RETURN NEXT;
        END LOOP;
    EXCEPTION WHEN SQLSTATE 'MK001' THEN -- undoes the append, and only that
        outcome := 'duplicate_message';
        duplicate := known;
        RETURN NEXT;
        RETURN;
    END;
    IF outcome = 'appended' THEN
        PERFORM {schema}.store_messages(p_messages);
    END IF;
END $$;

-- As in 0010, but for ARRAY. A locking sub-query with a LIMIT in a join may be run once a row of the other side, where
-- statistics say that there is hardly one; each time it goes past what the rows before have changed, and so past its
-- LIMIT. As an array it is run once.
CREATE OR REPLACE FUNCTION {schema}.claim_sagas(p_limit integer, p_lease float8, p_type text, p_max integer)
RETURNS SETOF {schema}.sagas LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
BEGIN
    UPDATE {schema}.sagas AS s SET status = 'stuck', due_at = NULL, version = s.version + 1, updated_at = stamp
    WHERE s.saga_id = ANY (ARRAY(
        SELECT x.saga_id FROM {schema}.sagas AS x
        WHERE x.due_at <= stamp AND x.claims >= p_max AND (p_type IS NULL OR x.saga_type = p_type)
        ORDER BY x.due_at LIMIT 100 FOR UPDATE SKIP LOCKED
    ));
    RETURN QUERY
    UPDATE {schema}.sagas AS s
    SET due_at = stamp + make_interval(secs => p_lease), claims = s.claims + 1, version = s.version + 1
    WHERE s.saga_id = ANY (ARRAY(
        SELECT x.saga_id FROM {schema}.sagas AS x
        WHERE x.due_at <= stamp AND x.claims < p_max AND (p_type IS NULL OR x.saga_type = p_type)
        ORDER BY x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ))
    RETURNING s.*;
END $$;

-- An append looks streams up by name, always by the index. A session keeps its plans until the next ANALYZE: one that
-- was made while the table fitted a page would read the whole of it, again and again, however large it has become.
ALTER FUNCTION {schema}.append(text, text, bigint, json) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_one(text, text, bigint, uuid, text, jsonb, jsonb) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_batch(json, json, boolean) SET enable_seqscan TO off;
ALTER FUNCTION {schema}.append_group(
    text[], bigint[], integer[], uuid[], text[], jsonb[], jsonb[], json
) SET enable_seqscan TO off;
