-- oldest code: 15
-- append_group() with the items' outbox messages, an array a column: JSON would be taken apart for each message,
-- twice (docs/decisions/0075). p_items says which item a message belongs to; the messages stand in the order of
-- the items.
CREATE FUNCTION {schema}.append_group_with_outbox(
    p_streams text[], p_expected bigint[], p_counts integer[],
    p_ids uuid[], p_types text[], p_data jsonb[], p_metadata jsonb[],
    p_items integer[], p_message_ids uuid[], p_destinations text[], p_payloads jsonb[], p_headers jsonb[],
    p_message_streams text[], p_event_ids uuid[], p_ordered boolean[], p_delays float8[], p_max_attempts integer[]
) RETURNS TABLE (outcome text, actual bigint, first_position bigint, last_position bigint, duplicate uuid)
LANGUAGE plpgsql SET lock_timeout TO '20ms' AS $$
DECLARE
    item integer := 0;
    appended integer[] := '{}';
    stamp timestamptz;
BEGIN
    -- OFFSET 0: one look into the index an id, whatever the planner believes of the table's size.
    IF EXISTS (
        SELECT FROM unnest(p_message_ids) AS g (i)
        WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0)
    ) THEN
        -- A repeat, or a mistake: rare, and append_group() knows what each of them means.
        RETURN QUERY SELECT * FROM {schema}.append_group(
            p_streams, p_expected, p_counts, p_ids, p_types, p_data, p_metadata, (
                SELECT json_agg(json_build_object(
                    'k', g.k, 'i', g.i, 'd', g.d, 'p', g.p, 'h', g.h, 's', g.s, 'e', g.e, 'o', g.o, 'w', g.w, 'm', g.m
                ) ORDER BY g.place)
                FROM unnest(
                    p_items, p_message_ids, p_destinations, p_payloads, p_headers,
                    p_message_streams, p_event_ids, p_ordered, p_delays, p_max_attempts
                ) WITH ORDINALITY AS g (k, i, d, p, h, s, e, o, w, m, place)
            )
        );
        RETURN;
    END IF;
    FOR outcome, actual, first_position, last_position, duplicate IN
        SELECT * FROM {schema}.append_group(
            p_streams, p_expected, p_counts, p_ids, p_types, p_data, p_metadata, NULL
        )
    LOOP
        item := item + 1;
        IF outcome = 'appended' THEN
            appended := appended || item;
        END IF;
        RETURN NEXT;
    END LOOP;
    stamp := clock_timestamp();
    INSERT INTO {schema}.outbox (
        message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
    )
    SELECT g.i, g.d, g.p, g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
    FROM unnest(
        p_items, p_message_ids, p_destinations, p_payloads, p_headers,
        p_message_streams, p_event_ids, p_ordered, p_delays, p_max_attempts
    ) WITH ORDINALITY AS g (k, i, d, p, h, s, e, o, w, m, place)
    WHERE g.k = ANY (appended)
    ORDER BY g.place;
END $$;

-- What became of claimed messages: [{p, t, v, e, w, x}, …], v one of done, failed, untried. Returns the
-- claims that were accepted: the rest was claimed by somebody else since, or its lease has passed.
--
-- CASE hides the status from the planner: statistics see hardly a claimed message, and a plan made from them
-- walks every one that was claimed and done since the last vacuum, instead of looking up by position.
CREATE OR REPLACE FUNCTION {schema}.settle_outbox(p_verdicts json) RETURNS TABLE ("position" bigint, token bigint)
LANGUAGE plpgsql AS $$
DECLARE
    one record;
    streams text[] := '{}';
BEGIN
    FOR one IN
        UPDATE {schema}.outbox AS o
        SET status = CASE
                WHEN v.v = 'done' THEN 'done'
                WHEN v.v = 'failed' AND (v.x OR o.attempts >= o.max_attempts) THEN 'dead'
                ELSE 'pending'
            END,
            finished_at = CASE
                WHEN v.v = 'done' OR v.v = 'failed' AND (v.x OR o.attempts >= o.max_attempts) THEN clock_timestamp()
            END,
            attempts = o.attempts - (v.v = 'untried')::integer,
            due_at = clock_timestamp() + make_interval(secs => coalesce(v.w, 0)),
            last_error = CASE WHEN v.v = 'failed' THEN v.e ELSE o.last_error END
        FROM json_to_recordset(p_verdicts) AS v (p bigint, t bigint, v text, e text, w float8, x boolean)
        WHERE o.position = v.p AND o.token = v.t
            AND CASE o.status WHEN 'claimed' THEN o.due_at > clock_timestamp() ELSE false END
        RETURNING o.position, o.token, o.stream_id, o.ordered AND o.status <> 'pending' AS lets_go
    LOOP
        "position" := one.position;
        token := one.token;
        RETURN NEXT;
        IF one.lets_go THEN
            streams := streams || one.stream_id::text;
        END IF;
    END LOOP;
    IF streams <> '{}' THEN
        PERFORM {schema}.promote_outbox(streams);
    END IF;
END $$;
