-- For stores opened with unique_event_ids: where ids of a call are stored, under whatever expectation.
-- Outcome NULL: nowhere. Used with the optional index only, as it looks at the whole store.
CREATE FUNCTION {schema}.find_ids(
    p_stream text, p_expected bigint, p_events json,
    OUT outcome text, OUT after bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    known integer;
    streams integer;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE e.stream_id = p_stream), min(e.version) - 1,
        (array_agg(g.i ORDER BY g.k))[1]
    INTO known, streams, after, duplicate
    FROM ROWS FROM (json_to_recordset(p_events) AS (i uuid)) WITH ORDINALITY AS g (i, k)
    JOIN {schema}.events AS e ON e.event_id = g.i;

    IF known = 0 THEN
        RETURN;
    ELSIF known = streams AND known = json_array_length(p_events) AND p_expected IN (-1, -2, after) THEN
        SELECT r.outcome, r.first_position, r.last_position, coalesce(r.duplicate, find_ids.duplicate)
        INTO outcome, first_position, last_position, duplicate
        FROM {schema}.find_repeat(p_stream, after, p_events) AS r;
    ELSE
        outcome := 'duplicate';
    END IF;
END $$;

-- append_batch where a unique index on event_id stands: an id that another transaction stores at the
-- same moment is found by the second look, and only what this call did is undone.
CREATE FUNCTION {schema}.append_batch_unique(p_streams json, p_items json)
RETURNS TABLE (
    outcome text, item integer, actual bigint, first_position bigint, last_position bigint, duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    violated text;
BEGIN
    FOR attempt IN 1..3 LOOP
        BEGIN
            RETURN QUERY SELECT * FROM {schema}.append_batch(p_streams, p_items, true);
            RETURN;
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
            IF violated <> 'idx_events_event_id' OR attempt = 3 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END $$;
