-- The appends of several callers in one transaction, each with an answer of its own (docs/decisions/0040).
-- p_streams, p_expected and p_counts have an item a caller, in the code point order of the streams, which is
-- the order of locking. A stream may repeat: its later items see the earlier ones. Events stand in the order
-- of the items.
--
-- Outcomes as of append(), and 'locked': somebody else holds the stream, and a group waits for nobody.
-- Nothing of that item was stored: append it by itself.
--
-- p_messages: the outbox messages of all items, as of add_outbox() and with k, the item they belong to; NULL
-- where there are none. They are stored with their item, or neither (OUTBOX-01).
--
-- Whatever else may wait (a stream that is being created elsewhere, DDL) ends in an error soon; the caller
-- then appends each item by itself, under its ordinary lock_timeout.
CREATE FUNCTION {schema}.append_group(
    p_streams text[], p_expected bigint[], p_counts integer[],
    p_ids uuid[], p_types text[], p_data jsonb[], p_metadata jsonb[], p_messages json
) RETURNS TABLE (outcome text, actual bigint, first_position bigint, last_position bigint, duplicate uuid)
LANGUAGE plpgsql SET lock_timeout TO '20ms' AS $$
DECLARE
    item integer := 0;
    start integer := 1;
    name text;
    expected bigint;
    n integer;
    stamp timestamptz;
    known integer[];
    appended integer[] := '{}';
    surrogate bigint;
BEGIN
    IF p_messages IS NOT NULL THEN
        SELECT array_agg(DISTINCT g.k) INTO known
        FROM json_to_recordset(p_messages) AS g (k integer, i uuid)
        WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0);
    END IF;
    FOREACH name IN ARRAY p_streams LOOP
        item := item + 1;
        expected := p_expected[item];
        n := p_counts[item];
        duplicate := NULL;
        IF item = ANY (known) THEN
            -- Only a repeat gets another answer than a refusal, and nothing is written.
            SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
            INTO outcome, actual, first_position, last_position, duplicate
            FROM {schema}.append_with_outbox(name, split_part(name, '-', 1), expected, (
                SELECT json_agg(json_build_object('i', e.i, 't', e.t, 'd', e.d, 'm', e.m) ORDER BY e.k)
                FROM unnest(
                    p_ids[start:start + n - 1], p_types[start:start + n - 1],
                    p_data[start:start + n - 1], p_metadata[start:start + n - 1]
                ) WITH ORDINALITY AS e (i, t, d, m, k)
            ), (
                SELECT json_agg(e.message) FROM json_array_elements(p_messages) AS e (message)
                WHERE (e.message ->> 'k')::integer = item
            )) AS r;
            start := start + n;
            RETURN NEXT;
            CONTINUE;
        END IF;
        UPDATE {schema}.streams AS s
        SET version = s.version + n,
            updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')
        WHERE s.id = (SELECT x.id FROM {schema}.streams AS x WHERE x.stream_id = name FOR UPDATE SKIP LOCKED)
            AND s.id > 0 -- marked streams: append() knows
            AND (s.version = expected OR expected = -1 OR (expected = -2 AND s.version > 0))
        RETURNING s.version - n, s.updated_at INTO actual, stamp;
        IF NOT FOUND AND expected IN (0, -1) THEN
            actual := 0;
            stamp := clock_timestamp();
            INSERT INTO {schema}.streams (stream_id, category, version, created_at, updated_at)
            VALUES (name, split_part(name, '-', 1), n, stamp, stamp) ON CONFLICT (stream_id) DO NOTHING;
        END IF;

        IF NOT FOUND THEN
            -- Not as expected, or somebody's. What append() would wait for is held already, or left alone.
            SELECT s.id, s.version INTO surrogate, actual
            FROM {schema}.streams AS s WHERE s.stream_id = name FOR UPDATE SKIP LOCKED;
            IF NOT FOUND AND EXISTS (SELECT FROM {schema}.streams AS s WHERE s.stream_id = name) THEN
                outcome := 'locked';
            ELSIF surrogate > 0 AND expected >= 0 AND actual <> expected AND NOT EXISTS (
                SELECT FROM {schema}.events AS e
                WHERE e.stream_id = name AND e.version BETWEEN expected + 1 AND expected + n
                    AND e.event_id = ANY (p_ids[start:start + n - 1])
            ) THEN
                outcome := 'conflict'; -- the common refusal, without a look for a repeated call
            ELSE
                SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
                INTO outcome, actual, first_position, last_position, duplicate
                FROM {schema}.append(name, split_part(name, '-', 1), expected, (
                    SELECT json_agg(json_build_object('i', e.i, 't', e.t, 'd', e.d, 'm', e.m) ORDER BY e.k)
                    FROM unnest(
                        p_ids[start:start + n - 1], p_types[start:start + n - 1],
                        p_data[start:start + n - 1], p_metadata[start:start + n - 1]
                    ) WITH ORDINALITY AS e (i, t, d, m, k)
                )) AS r;
            END IF;
        ELSIF n = 1 THEN
            INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
            VALUES (name, actual + 1, p_ids[start], p_types[start], p_data[start], p_metadata[start], stamp)
            RETURNING global_position INTO first_position;
            last_position := first_position;
            outcome := 'appended';
        ELSE
            WITH added AS (
                INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
                SELECT name, actual + e.k, e.i, e.t, e.d, e.m, stamp
                FROM unnest(
                    p_ids[start:start + n - 1], p_types[start:start + n - 1],
                    p_data[start:start + n - 1], p_metadata[start:start + n - 1]
                ) WITH ORDINALITY AS e (i, t, d, m, k)
                ORDER BY e.k
                RETURNING global_position
            )
            SELECT min(a.global_position), max(a.global_position) INTO first_position, last_position FROM added AS a;
            outcome := 'appended';
        END IF;
        IF outcome = 'appended' THEN
            appended := appended || item;
        END IF;
        start := start + n;
        RETURN NEXT;
    END LOOP;

    IF p_messages IS NOT NULL THEN
        stamp := clock_timestamp();
        INSERT INTO {schema}.outbox (
            message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
        )
        SELECT g.i, g.d, coalesce(g.p, 'null'), g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
        FROM ROWS FROM (json_to_recordset(p_messages) AS (
            k integer, i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean, w float8, m integer
        )) WITH ORDINALITY AS g (k, i, d, p, h, s, e, o, w, m, place)
        WHERE g.k = ANY (appended)
        ORDER BY g.place;
    END IF;
END $$;
