-- oldest code: 15
-- append_batch(), which 0011 has renamed, as in 0003, but for created_at: a stream that several items of one batch
-- append to is as old as its first event, and not as its last item.

-- Several appends, all or nothing. p_streams: [{s, c, new}, …], each stream once, in code point order,
-- which is the order of locking, so that batches never deadlock. p_items: [{k, x, e}, …] in the order
-- of the call: k the stream's place in p_streams, x the expectation, e the events.
-- Returns a row an item; a refusal is the last row.
CREATE OR REPLACE FUNCTION {schema}.append_batch_unmarked(p_streams json, p_items json, p_unique boolean)
RETURNS TABLE (
    outcome text, item integer, actual bigint, first_position bigint, last_position bigint, duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    names text[] := '{}';
    versions bigint[] := '{}';
    stamps timestamptz[] := '{}';
    origins timestamptz[] := '{}';
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
        origins := origins || NULL::timestamptz;
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
            IF held = 0 THEN
                origins[entry.k] := item_stamps[entry.item];
            END IF;
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
        created_at = coalesce(u.origin, s.created_at)
    FROM unnest(names, versions, stamps, origins) AS u (name, version, stamp, origin)
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
