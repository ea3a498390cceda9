-- append_with_outbox() of one event, without JSON to take apart for it: the most common call. Where a
-- message id is known, append_with_outbox() says what that means.
CREATE FUNCTION {schema}.append_one_with_outbox(
    p_stream text, p_category text, p_expected bigint, p_id uuid, p_type text, p_data jsonb, p_metadata jsonb,
    p_message_ids uuid[], p_messages json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    stamp timestamptz;
BEGIN
    -- OFFSET 0: one look into the index an id, whatever the planner believes of the table's size.
    IF EXISTS (
        SELECT FROM unnest(p_message_ids) AS g (i)
        WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0)
    ) THEN
        SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
        INTO outcome, actual, first_position, last_position, duplicate
        FROM {schema}.append_with_outbox(p_stream, p_category, p_expected, json_build_array(
            json_build_object('i', p_id, 't', p_type, 'd', p_data, 'm', p_metadata)
        ), p_messages) AS r;
        RETURN;
    END IF;
    SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
    INTO outcome, actual, first_position, last_position, duplicate
    FROM {schema}.append_one(p_stream, p_category, p_expected, p_id, p_type, p_data, p_metadata) AS r;
    IF outcome = 'appended' THEN
        stamp := clock_timestamp();
        INSERT INTO {schema}.outbox (
            message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
        )
        SELECT g.i, g.d, coalesce(g.p, 'null'), g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
        FROM json_to_recordset(p_messages) AS g (
            i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean, w float8, m integer
        );
    END IF;
END $$;
