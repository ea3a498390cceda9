-- The index repeats the one of UNIQUE (stream_id, version): same columns, same order. Without it an append
-- writes one index less (docs/decisions/0041).
DROP INDEX IF EXISTS {schema}.idx_events_stream;

-- append() of one event, without JSON to take apart: the most common call. What is not as expected, or new,
-- goes on to append().
CREATE FUNCTION {schema}.append_one(
    p_stream text, p_category text, p_expected bigint, p_id uuid, p_type text, p_data jsonb, p_metadata jsonb,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    stamp timestamptz;
BEGIN
    UPDATE {schema}.streams AS s
    SET version = s.version + 1, updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')
    WHERE s.stream_id = p_stream AND s.id > 0 -- marked streams: append() knows
        AND (s.version = p_expected OR p_expected = -1 OR (p_expected = -2 AND s.version > 0))
    RETURNING s.version - 1, s.updated_at INTO actual, stamp;
    IF FOUND THEN
        INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
        VALUES (p_stream, actual + 1, p_id, p_type, p_data, p_metadata, stamp)
        RETURNING global_position INTO first_position;
        last_position := first_position;
        outcome := 'appended';
    ELSE
        SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
        INTO outcome, actual, first_position, last_position, duplicate
        FROM {schema}.append(p_stream, p_category, p_expected, json_build_array(
            json_build_object('i', p_id, 't', p_type, 'd', p_data, 'm', p_metadata)
        )) AS r;
    END IF;
END $$;
