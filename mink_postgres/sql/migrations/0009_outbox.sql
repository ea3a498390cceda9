-- Messages to publish. due_at says when a message may be claimed: after its delay, its backoff, or the
-- end of the lease of whoever claimed it last.
CREATE TABLE {schema}.outbox (
    position BIGSERIAL PRIMARY KEY,
    message_id UUID NOT NULL,
    destination VARCHAR(500) NOT NULL,
    payload JSONB NOT NULL,
    headers JSONB NOT NULL,
    stream_id VARCHAR(500),
    event_id UUID,
    ordered BOOLEAN NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'waiting', 'claimed', 'done', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    token BIGINT NOT NULL DEFAULT 0,
    claimed_by VARCHAR(200),
    last_error TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX idx_outbox_message_id ON {schema}.outbox (message_id);
-- What claims scan, however many messages are done. pending: fresh; claimed and due: a lease that ran out.
-- waiting (ordered, and a claim has found an earlier one of its stream open) is outside of it.
CREATE INDEX idx_outbox_due ON {schema}.outbox (status, due_at, position) WHERE status IN ('pending', 'claimed');
-- Who stands before an ordered message, and who comes next.
CREATE INDEX idx_outbox_order ON {schema}.outbox (stream_id, position)
    WHERE ordered AND status IN ('pending', 'waiting', 'claimed');
CREATE INDEX idx_outbox_finished ON {schema}.outbox (status, finished_at) WHERE status IN ('done', 'dead');
CREATE INDEX idx_outbox_dead ON {schema}.outbox (position) WHERE status = 'dead';
-- A queue's rows die young: vacuum by count, not by share of a table that is mostly done messages.
ALTER TABLE {schema}.outbox SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000
);

-- p_messages: [{i, d, p, h, s, e, o, w, m}, …]. Stores all and returns NULL, or stores none and returns
-- an id that is stored with other content.
CREATE FUNCTION {schema}.add_outbox(p_messages json) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
    added uuid[];
    duplicate uuid;
BEGIN
    WITH stored AS (
        INSERT INTO {schema}.outbox AS o (
            message_id, destination, payload, headers, stream_id, event_id, ordered, max_attempts, due_at, created_at
        )
        SELECT g.i, g.d, coalesce(g.p, 'null'), g.h, g.s, g.e, g.o, g.m, stamp + make_interval(secs => g.w), stamp
        FROM ROWS FROM (json_to_recordset(p_messages) AS (
            i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean, w float8, m integer
        )) WITH ORDINALITY AS g (i, d, p, h, s, e, o, w, m, k)
        ORDER BY g.k
        ON CONFLICT (message_id) DO NOTHING
        RETURNING o.message_id
    )
    SELECT array_agg(s.message_id) INTO added FROM stored AS s;
    IF coalesce(cardinality(added), 0) = json_array_length(p_messages) THEN
        RETURN NULL;
    END IF;
    SELECT g.i INTO duplicate
    FROM json_to_recordset(p_messages) AS g (i uuid, d text, p jsonb, h jsonb, s text, e uuid, o boolean)
    JOIN {schema}.outbox AS o ON o.message_id = g.i
    -- As text, since jsonb finds 1 and 1.0 equal.
    WHERE (o.destination, o.payload::text, o.headers, o.ordered) <> (g.d, coalesce(g.p, 'null')::text, g.h, g.o)
        OR o.stream_id IS DISTINCT FROM g.s OR o.event_id IS DISTINCT FROM g.e
    LIMIT 1;
    IF duplicate IS NOT NULL THEN
        DELETE FROM {schema}.outbox AS o WHERE o.message_id = ANY (added);
    END IF;
    RETURN duplicate;
END $$;

-- An append and its messages (OUTBOX-01). A message id that is stored already refuses the append before
-- it writes anything, but for the repeat of the call that stored both.
CREATE FUNCTION {schema}.append_with_outbox(
    p_stream text, p_category text, p_expected bigint, p_events json, p_messages json,
    OUT outcome text, OUT actual bigint, OUT first_position bigint, OUT last_position bigint, OUT duplicate uuid
) LANGUAGE plpgsql AS $$
DECLARE
    known uuid;
BEGIN
    -- OFFSET 0: one look into the index an id, whatever the planner believes of the table's size.
    SELECT g.i INTO known FROM json_to_recordset(p_messages) AS g (i uuid)
    WHERE EXISTS (SELECT FROM {schema}.outbox AS o WHERE o.message_id = g.i OFFSET 0) LIMIT 1;
    IF known IS NOT NULL THEN
        IF p_expected >= 0 THEN
            SELECT r.outcome, p_expected, r.first_position, r.last_position
            INTO outcome, actual, first_position, last_position
            FROM {schema}.find_repeat(p_stream, p_expected, p_events) AS r;
        END IF;
        IF outcome IS DISTINCT FROM 'repeated' THEN
            outcome := 'duplicate_message';
            duplicate := known;
        END IF;
        RETURN;
    END IF;
    SELECT a.outcome, a.actual, a.first_position, a.last_position, a.duplicate
    INTO outcome, actual, first_position, last_position, duplicate
    FROM {schema}.append(p_stream, p_category, p_expected, p_events) AS a;
    IF outcome = 'appended' THEN
        PERFORM {schema}.add_outbox(p_messages);
    END IF;
END $$;

-- The same where event ids are unique: append_batch_unique finds a repeat by its ids.
CREATE FUNCTION {schema}.append_batch_unique_with_outbox(p_streams json, p_items json, p_messages json)
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
        PERFORM {schema}.add_outbox(p_messages);
    END IF;
END $$;

-- The first open message of a stream, of those that keep its order. Between two bounds rather than by
-- equality, so that only idx_outbox_order gives this order: no plan may walk the done messages.
CREATE FUNCTION {schema}.outbox_head(p_stream text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT o.position FROM {schema}.outbox AS o
    WHERE o.stream_id >= p_stream AND o.stream_id <= p_stream AND o.ordered
        AND o.status IN ('pending', 'waiting', 'claimed')
    ORDER BY o.stream_id, o.position
    LIMIT 1
$$;

-- Lets the next message of streams go on whose head was finished. A claim that has locked it may be making
-- it wait just now, having seen the head open: so it is locked first, and looked at in a later statement.
CREATE FUNCTION {schema}.promote_outbox(p_streams text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next bigint[];
BEGIN
    SELECT array_agg(h.position) INTO next FROM (
        SELECT o.position FROM unnest(p_streams) AS s (name)
        JOIN {schema}.outbox AS o ON o.position = {schema}.outbox_head(s.name)
        ORDER BY o.position FOR UPDATE OF o
    ) AS h;
    UPDATE {schema}.outbox AS o SET status = 'pending' WHERE o.position = ANY (next) AND o.status = 'waiting';
END $$;

-- Claims due messages. Fresh ones first, in order of due time; at most one whose lease ran out, as it may
-- be what ends its workers, and must not take others with it each time.
CREATE FUNCTION {schema}.claim_outbox(p_worker text, p_limit integer, p_lease float8)
RETURNS TABLE (
    suspect boolean, "position" bigint, message_id uuid, destination text, payload text, headers text,
    stream_id text, event_id uuid, ordered boolean, attempts integer, max_attempts integer, due_at timestamp,
    last_error text, created_at timestamp, token bigint
) LANGUAGE plpgsql AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
    streams text[];
    lapsed bigint;
    looked bigint[];
    blocked bigint[];
    picked bigint[] := '{}';
    room integer;
BEGIN
    -- Attempts are counted at the claim, so those of a message that ends its workers are used up too.
    WITH given_up AS (
        UPDATE {schema}.outbox AS o
        SET status = 'dead', finished_at = stamp,
            last_error = coalesce(o.last_error || '; ', '') || 'attempt ' || o.attempts || ' by ' || o.claimed_by
                || ' was never heard of again'
        WHERE o.position IN (
            SELECT x.position FROM {schema}.outbox AS x
            WHERE x.status = 'claimed' AND x.due_at <= stamp AND x.attempts >= x.max_attempts
            ORDER BY x.due_at, x.position LIMIT 100 FOR UPDATE SKIP LOCKED
        )
        RETURNING o.stream_id, o.ordered
    )
    SELECT array_agg(DISTINCT g.stream_id) INTO streams FROM given_up AS g WHERE g.ordered;
    IF streams IS NOT NULL THEN
        PERFORM {schema}.promote_outbox(streams);
    END IF;

    SELECT x.position INTO lapsed FROM {schema}.outbox AS x
    WHERE x.status = 'claimed' AND x.due_at <= stamp AND x.attempts < x.max_attempts
    ORDER BY x.due_at, x.position LIMIT 1 FOR UPDATE SKIP LOCKED;

    room := p_limit - (lapsed IS NOT NULL)::integer;
    FOR turn IN 1..20 LOOP -- so long a claim at most, however many are held back
        EXIT WHEN room = 0;
        SELECT array_agg(f.position) INTO looked FROM (
            SELECT x.position FROM {schema}.outbox AS x
            WHERE x.status = 'pending' AND x.due_at <= stamp AND x.position <> ALL (picked)
            ORDER BY x.due_at, x.position LIMIT room FOR UPDATE SKIP LOCKED
        ) AS f;
        EXIT WHEN looked IS NULL;
        -- In a later statement than the one that locked them: a head that was finished in between is seen.
        -- What waits is out of the way of the next claims, until its head is finished.
        WITH held_back AS (
            UPDATE {schema}.outbox AS x SET status = 'waiting'
            WHERE x.position = ANY (looked) AND x.ordered AND {schema}.outbox_head(x.stream_id) < x.position
            RETURNING x.position
        )
        SELECT array_agg(h.position) INTO blocked FROM held_back AS h;
        picked := picked || ARRAY(SELECT l FROM unnest(looked) AS l WHERE l <> ALL (coalesce(blocked, '{}')));
        EXIT WHEN blocked IS NULL;
        room := room - cardinality(looked) + cardinality(blocked);
    END LOOP;

    RETURN QUERY
    UPDATE {schema}.outbox AS o
    SET status = 'claimed', attempts = o.attempts + 1, token = o.token + 1, claimed_by = p_worker,
        due_at = stamp + make_interval(secs => p_lease)
    WHERE o.position = ANY (picked || lapsed)
    RETURNING o.position IS NOT DISTINCT FROM lapsed, o.position, o.message_id, o.destination::text, o.payload::text,
        o.headers::text, o.stream_id::text, o.event_id, o.ordered, o.attempts, o.max_attempts,
        o.due_at AT TIME ZONE 'UTC', o.last_error, o.created_at AT TIME ZONE 'UTC', o.token;
END $$;

-- What became of claimed messages: [{p, t, v, e, w, x}, …], v one of done, failed, untried. Returns the
-- claims that were accepted: the rest was claimed by somebody else since, or its lease has passed.
CREATE FUNCTION {schema}.settle_outbox(p_verdicts json) RETURNS TABLE ("position" bigint, token bigint)
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
        WHERE o.position = v.p AND o.token = v.t AND o.status = 'claimed' AND o.due_at > clock_timestamp()
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
