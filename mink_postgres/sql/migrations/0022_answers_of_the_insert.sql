-- oldest code: 15
-- append_group() as in 0020, with one change (docs/decisions/0140): where every item fits and has one event, the INSERT
-- gives the answers.
--
-- p_streams, p_expected and p_counts have an item a caller, in the code point order of the streams. A stream
-- may repeat: its later items see the earlier ones. Events stand in the order of the items.
--
-- Outcomes as of append(), and 'locked': somebody else holds the stream, and a group waits for nobody.
-- Nothing of that item was stored: append it by itself.
--
-- p_messages: the outbox messages of all items, as of add_outbox() and with k, the item they belong to; NULL
-- where there are none. They are stored with their item, or neither (OUTBOX-01).
--
-- Whatever else may wait (a stream that is being created elsewhere, DDL) ends in an error soon; the caller
-- then appends each item by itself, under its ordinary lock_timeout.
--
-- One plan, made once and by way of the indexes: what the planner believes of the arrays, or of a table that was
-- never analysed, is wrong in both directions.
CREATE OR REPLACE FUNCTION {schema}.append_group(
    p_streams text[], p_expected bigint[], p_counts integer[],
    p_ids uuid[], p_types text[], p_data jsonb[], p_metadata jsonb[], p_messages json
) RETURNS TABLE (outcome text, actual bigint, first_position bigint, last_position bigint, duplicate uuid)
LANGUAGE plpgsql
SET lock_timeout TO '20ms'
SET plan_cache_mode TO force_generic_plan
SET enable_seqscan TO off SET enable_hashjoin TO off SET enable_mergejoin TO off AS $$
DECLARE
    items CONSTANT integer := cardinality(p_streams);
    known integer[];
    -- What is held of the streams, in their order; `next` is the first that no item has asked for.
    held_names text[];
    held_ids bigint[];
    held_versions bigint[];
    held_stamps timestamptz[];
    next integer := 1;
    -- The item, the stream as it is for it, and whether that is not written yet. surrogate NULL: not held.
    start integer := 1;
    name text;
    expected bigint;
    n integer;
    stream text;
    surrogate bigint;
    current bigint;
    stamp timestamptz;
    began CONSTANT timestamptz := clock_timestamp();
    fits boolean;
    changed boolean := false;
    -- What is accepted and not written yet: streams, and the items with their first event and their version before.
    changed_ids bigint[] := '{}';
    changed_versions bigint[] := '{}';
    changed_stamps timestamptz[] := '{}';
    accepted integer[] := '{}';
    starts integer[] := '{}';
    bases bigint[] := '{}';
    stamps timestamptz[] := '{}';
    names text[];
    positions bigint[];
    place integer;
    one integer;
    outcomes text[] := array_fill(NULL::text, ARRAY[items]);
    actuals bigint[] := array_fill(NULL::bigint, ARRAY[items]);
    firsts bigint[] := actuals;
    lasts bigint[] := actuals;
    duplicates uuid[] := array_fill(NULL::uuid, ARRAY[items]);
BEGIN
    IF p_messages IS NOT NULL THEN
        SELECT array_agg(DISTINCT g.k) INTO known
        FROM json_to_recordset(p_messages) AS g (k integer, i uuid)
        WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0);
    END IF;
    -- Version 0 until an item's events are written, which is below. In the order of locking, and holding nothing else
    -- while it waits for somebody who creates the same stream.
    IF 0 = ANY (p_expected) OR -1 = ANY (p_expected) THEN
        INSERT INTO {schema}.streams AS s (stream_id, category, version, created_at, updated_at)
        SELECT c.s, split_part(c.s, '-', 1), 0, began, began - interval '1 microsecond'
        FROM unnest(p_streams, p_expected) WITH ORDINALITY AS c (s, e, k)
        WHERE c.e IN (0, -1) AND (known IS NULL OR c.k <> ALL (known))
            AND NOT EXISTS (SELECT FROM {schema}.streams AS t WHERE t.stream_id = c.s OFFSET 0)
        ORDER BY c.k
        ON CONFLICT (stream_id) DO NOTHING;
    END IF;
    SELECT array_agg(x.stream_id), array_agg(x.id), array_agg(x.version), array_agg(x.updated_at)
    INTO held_names, held_ids, held_versions, held_stamps
    FROM (
        SELECT s.stream_id, s.id, s.version, s.updated_at
        FROM {schema}.streams AS s WHERE s.stream_id = ANY (p_streams)
        ORDER BY s.stream_id COLLATE "C" FOR UPDATE SKIP LOCKED
    ) AS x;

    -- One by one the same: none repeats, is missing or is held elsewhere, and the caller's order is the server's. None is
    -- tombstoned, and the clock is ahead of all that they have seen.
    fits := p_messages IS NULL AND held_names = p_streams AND 0 < ALL (held_ids) AND began > ALL (held_stamps);
    IF fits AND held_versions <> p_expected THEN
        SELECT bool_and(c.v = c.e OR c.e = -1 OR (c.e = -2 AND c.v > 0)) INTO fits
        FROM unnest(held_versions, p_expected) AS c (v, e);
    END IF;
    IF fits THEN
        UPDATE {schema}.streams AS s SET version = s.version + c.n, updated_at = began
        FROM unnest(held_ids, p_counts) AS c (i, n) WHERE s.id = c.i;
        IF cardinality(p_ids) = items THEN
            RETURN QUERY
            INSERT INTO {schema}.events AS a (stream_id, version, event_id, event_type, data, metadata, timestamp)
            SELECT e.s, e.v + 1, e.i, e.t, e.d, e.m, began
            FROM (
                SELECT unnest(p_streams), unnest(held_versions),
                    unnest(p_ids), unnest(p_types), unnest(p_data), unnest(p_metadata)
            ) AS e (s, v, i, t, d, m)
            RETURNING 'appended', a.version - 1, a.global_position, a.global_position, NULL::uuid;
            RETURN;
        END IF;
        -- Of each event its stream, and the version before.
        SELECT array_agg(x.s), array_agg(x.v) INTO names, bases
        FROM (
            SELECT c.s, c.v + k.k AS v
            FROM unnest(p_streams, held_versions, p_counts) WITH ORDINALITY AS c (s, v, n, i),
                generate_series(0, c.n - 1) AS k (k)
            ORDER BY c.i, k.k
        ) AS x;
        WITH added AS (
            INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
            SELECT e.s, e.v + 1, e.i, e.t, e.d, e.m, began
            FROM (
                SELECT unnest(names), unnest(bases), unnest(p_ids), unnest(p_types), unnest(p_data), unnest(p_metadata)
            ) AS e (s, v, i, t, d, m)
            RETURNING global_position
        )
        SELECT array_agg(a.global_position) INTO positions FROM added AS a;
        firsts := '{}';
        lasts := '{}';
        FOREACH n IN ARRAY p_counts LOOP
            firsts := firsts || positions[start];
            start := start + n;
            lasts := lasts || positions[start - 1];
        END LOOP;
        RETURN QUERY SELECT 'appended', c.v, c.f, c.l, NULL::uuid FROM unnest(held_versions, firsts, lasts) AS c (v, f, l);
        RETURN;
    END IF;

    -- One turn more than there are items: what is left then is written.
    FOR item IN 1 .. items + 1 LOOP
        name := p_streams[item];
        IF name IS DISTINCT FROM stream THEN
            IF changed THEN
                changed_ids := changed_ids || surrogate;
                changed_versions := changed_versions || current;
                changed_stamps := changed_stamps || stamp;
                changed := false;
            END IF;
            stream := name;
            surrogate := NULL;
            IF held_names[next] = name THEN
                surrogate := held_ids[next];
                current := held_versions[next];
                stamp := held_stamps[next];
                next := next + 1;
            END IF;
        END IF;

        IF item <= items THEN
            expected := p_expected[item];
            n := p_counts[item];
            IF item = ANY (known) THEN
                NULL;
            ELSIF surrogate > 0 AND (current = expected OR expected = -1 OR (expected = -2 AND current > 0)) THEN
                -- One of its own within the stream: what a repeated call is told by. Of one that was created here, created_at.
                stamp := greatest(began, stamp + interval '1 microsecond');
                changed := true;
                outcomes[item] := 'appended';
            END IF;
            IF outcomes[item] = 'appended' THEN
                actuals[item] := current;
                accepted := accepted || item;
                starts := starts || start;
                bases := bases || current;
                stamps := stamps || stamp;
                current := current + n;
                start := start + n;
                CONTINUE;
            END IF;
        END IF;

        -- Written when the items end, and before an item looks at what is stored of its stream.
        IF accepted <> '{}' AND (item > items OR p_streams[accepted[cardinality(accepted)]] = name) THEN
            IF changed THEN
                changed_ids := changed_ids || surrogate;
                changed_versions := changed_versions || current;
                changed_stamps := changed_stamps || stamp;
                changed := false;
            END IF;
            UPDATE {schema}.streams AS s SET version = c.v, updated_at = c.t
            FROM unnest(changed_ids, changed_versions, changed_stamps) AS c (i, v, t) WHERE s.id = c.i;
            WITH added AS (
                INSERT INTO {schema}.events (stream_id, version, event_id, event_type, data, metadata, timestamp)
                SELECT p_streams[e.i], e.v + k.k + 1,
                    p_ids[e.s + k.k], p_types[e.s + k.k], p_data[e.s + k.k], p_metadata[e.s + k.k], e.t
                FROM unnest(accepted, starts, bases, stamps) AS e (i, s, v, t),
                    generate_series(0, p_counts[e.i] - 1) AS k (k)
                ORDER BY e.i, k.k
                RETURNING global_position
            )
            SELECT array_agg(a.global_position) INTO positions FROM added AS a;
            place := 1;
            FOREACH one IN ARRAY accepted LOOP
                firsts[one] := positions[place];
                place := place + p_counts[one];
                lasts[one] := positions[place - 1];
            END LOOP;
            changed_ids := '{}';
            changed_versions := '{}';
            changed_stamps := '{}';
            accepted := '{}';
            starts := '{}';
            bases := '{}';
            stamps := '{}';
        END IF;
        EXIT WHEN item > items;

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
        ELSE
            outcome := NULL;
            actual := NULL;
            first_position := NULL;
            last_position := NULL;
            duplicate := NULL;
            IF surrogate IS NULL THEN
                -- Not there, or somebody's; or append() has written to it.
                SELECT s.id, s.version, s.updated_at INTO surrogate, current, stamp
                FROM {schema}.streams AS s WHERE s.stream_id = name FOR UPDATE SKIP LOCKED;
                IF NOT FOUND AND EXISTS (SELECT FROM {schema}.streams AS s WHERE s.stream_id = name) THEN
                    outcome := 'locked';
                END IF;
            END IF;
            IF outcome IS NULL AND surrogate > 0 AND expected = -2 AND current = 0 THEN
                outcome := 'conflict'; -- maybe of a stream that was created here, which a later item is the first of
                actual := 0;
            ELSIF outcome IS NULL AND surrogate > 0 AND expected >= 0 AND current <> expected AND NOT EXISTS (
                SELECT FROM {schema}.events AS e
                WHERE e.stream_id = name AND e.version BETWEEN expected + 1 AND expected + n
                    AND e.event_id = ANY (p_ids[start:start + n - 1])
            ) THEN
                outcome := 'conflict'; -- the common refusal, without a look for a repeated call
                actual := current;
            ELSIF outcome IS NULL THEN
                SELECT r.outcome, r.actual, r.first_position, r.last_position, r.duplicate
                INTO outcome, actual, first_position, last_position, duplicate
                FROM {schema}.append(name, split_part(name, '-', 1), expected, (
                    SELECT json_agg(json_build_object('i', e.i, 't', e.t, 'd', e.d, 'm', e.m) ORDER BY e.k)
                    FROM unnest(
                        p_ids[start:start + n - 1], p_types[start:start + n - 1],
                        p_data[start:start + n - 1], p_metadata[start:start + n - 1]
                    ) WITH ORDINALITY AS e (i, t, d, m, k)
                )) AS r;
                surrogate := NULL; -- it may have changed: the next item looks again
            END IF;
        END IF;
        outcomes[item] := outcome;
        actuals[item] := actual;
        firsts[item] := first_position;
        lasts[item] := last_position;
        duplicates[item] := duplicate;
        start := start + n;
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(outcomes, actuals, firsts, lasts, duplicates);

    IF p_messages IS NOT NULL THEN
        stamp := clock_timestamp();
        INSERT INTO {schema}.outbox (
            message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
        )
        SELECT g.i, g.d, coalesce(g.p, 'null'), g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
        FROM ROWS FROM (json_to_recordset(p_messages) AS (
            k integer, i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean, w float8, m integer
        )) WITH ORDINALITY AS g (k, i, d, p, h, s, e, o, w, m, place)
        WHERE outcomes[g.k] = 'appended'
        ORDER BY g.place;
    END IF;
END $$;
