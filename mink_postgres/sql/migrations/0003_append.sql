-- Whether a call whose expectation is p_after was stored before (APPEND-09): looks at the versions
-- after p_after, whatever the current one is. Outcome: conflict, repeated or duplicate.
-- All events of one append carry one timestamp that the stream's other events do not have, which
-- tells where the first call began and ended.
CREATE FUNCTION {schema}.find_repeat(
    p_stream text, p_after bigint, p_events json,
    OUT outcome text, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    n CONSTANT integer := json_array_length(p_events);
    same_ids boolean;
    other_content uuid;
    whole boolean;
BEGIN
    WITH given AS (
        SELECT g.i, g.t, coalesce(g.d, 'null') AS d, coalesce(g.m, '{}') AS m, g.k
        FROM ROWS FROM (json_to_recordset(p_events) AS (i uuid, t text, d jsonb, m jsonb))
            WITH ORDINALITY AS g (i, t, d, m, k)
    ), stored AS (
        SELECT e.global_position, e.version, e.event_id, e.event_type, e.data, e.metadata, e.timestamp
        FROM {schema}.events AS e
        WHERE e.stream_id = p_stream AND e.version BETWEEN p_after + 1 AND p_after + n
    )
    SELECT
        coalesce(bool_and(s.event_id = g.i), false) AND count(s.event_id) = n,
        -- As text, since jsonb finds 1 and 1.0 equal.
        (array_agg(g.i ORDER BY g.k) FILTER (
            WHERE s.event_type <> g.t OR s.data::text <> g.d::text OR coalesce(s.metadata, '{}')::text <> g.m::text
        ))[1],
        min(s.global_position), max(s.global_position), min(s.timestamp) = max(s.timestamp),
        (SELECT k.i FROM given AS k WHERE k.i IN (SELECT x.event_id FROM stored AS x) ORDER BY k.k LIMIT 1)
    INTO same_ids, other_content, first_position, last_position, whole, duplicate
    FROM given AS g LEFT JOIN stored AS s ON s.version = p_after + g.k;

    IF duplicate IS NULL THEN
        outcome := 'conflict';
    ELSIF NOT same_ids THEN
        outcome := 'duplicate';
    ELSIF other_content IS NOT NULL THEN
        outcome := 'duplicate';
        duplicate := other_content;
    ELSIF NOT whole OR EXISTS (
        SELECT FROM {schema}.events AS beside
        JOIN {schema}.events AS edge ON edge.stream_id = p_stream AND edge.version = p_after + 1
        WHERE beside.stream_id = p_stream AND beside.version IN (p_after, p_after + n + 1)
            AND beside.timestamp = edge.timestamp
    ) THEN
        outcome := 'duplicate';
    ELSE
        outcome := 'repeated';
        duplicate := NULL;
    END IF;
END $$;

-- One append. p_expected: a version, -1 for ANY, -2 for STREAM_EXISTS. p_events: [{i, t, d, m}, …].
-- A refusal is a result, never an exception: the caller's transaction stays usable (TX-03).
CREATE FUNCTION {schema}.append(
    p_stream text, p_category text, p_expected bigint, p_events json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    n CONSTANT integer := json_array_length(p_events);
    stamp timestamptz;
BEGIN
    LOOP
        -- The common case in one statement: check, lock and bump. The stamp is taken under the lock
        -- and never goes back, whatever the clock does (READ-07).
        UPDATE {schema}.streams AS s
        SET version = s.version + n,
            updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond')
        WHERE s.stream_id = p_stream
            AND (s.version = p_expected OR p_expected = -1 OR (p_expected = -2 AND s.version > 0))
        RETURNING s.version - n, s.updated_at INTO actual, stamp;
        EXIT WHEN FOUND;

        SELECT s.version INTO actual FROM {schema}.streams AS s WHERE s.stream_id = p_stream;
        IF NOT FOUND THEN
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

-- Several appends, all or nothing. p_streams: [{s, c, new}, …], each stream once, in code point order,
-- which is the order of locking, so that batches never deadlock. p_items: [{k, x, e}, …] in the order
-- of the call: k the stream's place in p_streams, x the expectation, e the events.
-- Returns a row an item; a refusal is the last row.
CREATE FUNCTION {schema}.append_batch(p_streams json, p_items json, p_unique boolean)
RETURNS TABLE (
    outcome text, item integer, actual bigint, first_position bigint, last_position bigint, duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    names text[] := '{}';
    versions bigint[] := '{}';
    stamps timestamptz[] := '{}';
    created text[] := '{}';
    firsts bigint[] := '{}';
    item_stamps timestamptz[] := '{}';
    positions bigint[];
    repeated integer := 0;
    repeated_id uuid;
    total integer := 0;
    found_outcome text;
    refused text;
    refused_item integer := 0;
    refused_actual bigint := 0;
    refused_id uuid;
    entry record;
    step record;
    held bigint;
    stamp timestamptz;
BEGIN
    FOR entry IN
        SELECT x.s, x.c, x.new FROM ROWS FROM (json_to_recordset(p_streams) AS (s text, c text, new boolean))
            WITH ORDINALITY AS x (s, c, new, k) ORDER BY x.k
    LOOP
        held := 0;
        stamp := '-infinity';
        LOOP
            SELECT s.version, s.updated_at INTO held, stamp
            FROM {schema}.streams AS s WHERE s.stream_id = entry.s FOR UPDATE;
            EXIT WHEN FOUND;
            held := 0;
            stamp := '-infinity';
            EXIT WHEN NOT entry.new;
            INSERT INTO {schema}.streams (stream_id, category) VALUES (entry.s, entry.c)
            ON CONFLICT (stream_id) DO NOTHING;
            IF FOUND THEN
                created := created || entry.s::text;
                EXIT;
            END IF;
        END LOOP;
        names := names || entry.s::text;
        versions := versions || held;
        stamps := stamps || stamp;
    END LOOP;

    FOR entry IN
        SELECT x.k, x.x, x.e, x.item, json_array_length(x.e) AS n
        FROM ROWS FROM (json_to_recordset(p_items) AS (k integer, x bigint, e json))
            WITH ORDINALITY AS x (k, x, e, item) ORDER BY x.item
    LOOP
        held := versions[entry.k];
        found_outcome := NULL;
        IF p_unique THEN
            SELECT r.outcome, r.after, r.first_position, r.last_position, r.duplicate INTO step
            FROM {schema}.find_ids(names[entry.k], entry.x, entry.e) AS r;
            found_outcome := step.outcome;
        END IF;
        IF found_outcome IS NULL THEN
            IF held = entry.x OR entry.x = -1 OR (entry.x = -2 AND held > 0) THEN
                found_outcome := 'appended';
            ELSIF entry.x < 0 THEN
                found_outcome := 'conflict';
            ELSE
                SELECT r.outcome, entry.x AS after, r.first_position, r.last_position, r.duplicate INTO step
                FROM {schema}.find_repeat(names[entry.k], entry.x, entry.e) AS r;
                found_outcome := step.outcome;
            END IF;
        END IF;

        firsts := firsts || held;
        item_stamps := item_stamps || greatest(clock_timestamp(), stamps[entry.k] + interval '1 microsecond');
        IF found_outcome = 'appended' THEN
            versions[entry.k] := held + entry.n;
            stamps[entry.k] := item_stamps[entry.item];
            total := total + entry.n;
        ELSIF found_outcome = 'repeated' THEN
            repeated := repeated + 1;
            repeated_id := coalesce(repeated_id, (entry.e -> 0 ->> 'i')::uuid);
            outcome := 'repeated';
            item := entry.item;
            actual := step.after;
            first_position := step.first_position;
            last_position := step.last_position;
            duplicate := NULL;
            RETURN NEXT;
        ELSIF found_outcome = 'duplicate' THEN
            -- An id that is stored otherwise outweighs a conflict: no retry can mend it.
            refused := 'duplicate';
            refused_item := entry.item;
            refused_id := step.duplicate;
            EXIT;
        ELSIF refused IS NULL THEN
            refused := 'conflict';
            refused_item := entry.item;
            refused_actual := held;
        END IF;
    END LOOP;

    IF refused IS DISTINCT FROM 'duplicate' AND repeated > 0 THEN
        IF repeated = json_array_length(p_items) THEN
            RETURN;
        END IF;
        refused := 'duplicate';
        refused_id := repeated_id;
    END IF;
    IF refused IS NOT NULL THEN
        DELETE FROM {schema}.streams AS s WHERE s.stream_id = ANY (created);
        outcome := refused;
        item := refused_item;
        actual := refused_actual;
        first_position := NULL;
        last_position := NULL;
        duplicate := refused_id;
        RETURN NEXT;
        RETURN;
    END IF;

    WITH added AS (
        INSERT INTO {schema}.events AS e (stream_id, version, event_id, event_type, data, metadata, timestamp)
        SELECT names[x.k], firsts[x.item] + v.n, v.i, v.t, coalesce(v.d, 'null'), v.m, item_stamps[x.item]
        FROM ROWS FROM (json_to_recordset(p_items) AS (k integer, x bigint, e json))
                WITH ORDINALITY AS x (k, x, e, item),
            ROWS FROM (json_to_recordset(x.e) AS (i uuid, t text, d jsonb, m jsonb))
                WITH ORDINALITY AS v (i, t, d, m, n)
        ORDER BY x.item, v.n
        RETURNING e.global_position
    )
    SELECT array_agg(a.global_position ORDER BY a.global_position) INTO positions FROM added AS a;

    UPDATE {schema}.streams AS s
    SET version = u.version, updated_at = u.stamp,
        created_at = CASE WHEN s.version = 0 THEN u.stamp ELSE s.created_at END
    FROM unnest(names, versions, stamps) AS u (name, version, stamp)
    WHERE s.stream_id = u.name;

    total := 0;
    FOR entry IN
        SELECT json_array_length(x.e) AS n, x.item
        FROM ROWS FROM (json_to_recordset(p_items) AS (e json)) WITH ORDINALITY AS x (e, item) ORDER BY x.item
    LOOP
        outcome := 'appended';
        item := entry.item;
        actual := firsts[entry.item];
        first_position := positions[total + 1];
        total := total + entry.n;
        last_position := positions[total];
        duplicate := NULL;
        RETURN NEXT;
    END LOOP;
END $$;
