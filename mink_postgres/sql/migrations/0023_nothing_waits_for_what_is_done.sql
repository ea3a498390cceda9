-- oldest code: 15
-- claim_outbox() as in 0009, with two changes (docs/decisions/0141), and what 0019 has set. A message whose head was being
-- finished was set to wait for it, and nobody was left to set it back. And, as the feed, no claim at REPEATABLE READ
-- or above: what a finisher does not see there, it cannot set back.
--
-- Claims due messages. Fresh ones first, in order of due time; at most one whose lease ran out, as it may
-- be what ends its workers, and must not take others with it each time.
CREATE OR REPLACE FUNCTION {schema}.claim_outbox(p_worker text, p_limit integer, p_lease float8)
RETURNS TABLE (
    suspect boolean, "position" bigint, message_id uuid, destination text, payload text, headers text,
    stream_id text, event_id uuid, ordered boolean, attempts integer, max_attempts integer, due_at timestamp,
    last_error text, created_at timestamp, token bigint
) LANGUAGE plpgsql SET enable_seqscan TO off AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
    streams text[];
    lapsed bigint;
    looked bigint[];
    blocked bigint[];
    picked bigint[] := '{}';
    -- What is behind others and was left pending: in a turn, and in all of them.
    left_now bigint[];
    left_now_streams text[];
    left_over bigint[] := '{}';
    left_streams text[] := '{}';
    room integer;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RETURN NEXT; -- nothing but NULLs: the refusal
        RETURN;
    END IF;
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
            WHERE x.status = 'pending' AND x.due_at <= stamp
                AND x.position <> ALL (picked) AND x.position <> ALL (left_over)
            ORDER BY x.due_at, x.position LIMIT room FOR UPDATE SKIP LOCKED
        ) AS f;
        EXIT WHEN looked IS NULL;
        -- In a later statement than the one that locked them: a head that was finished in between is seen. A message waits
        -- only for one that this transaction holds, so that nobody finishes it before the wait is there to be seen: its
        -- head, unless somebody else is at that, or an earlier one of its stream that was left pending here.
        WITH seen AS MATERIALIZED (
            SELECT x.position, x.stream_id, {schema}.outbox_head(x.stream_id) AS head FROM {schema}.outbox AS x
            WHERE x.position = ANY (looked) AND x.ordered
        ), behind AS MATERIALIZED (
            SELECT s.position, s.stream_id, s.head, min(s.position) OVER (PARTITION BY s.stream_id) AS earliest
            FROM seen AS s WHERE s.head < s.position
        ), firm AS MATERIALIZED (
            SELECT h.position FROM {schema}.outbox AS h
            WHERE h.position = ANY (ARRAY(SELECT b.head FROM behind AS b))
                AND h.status IN ('pending', 'waiting', 'claimed')
            FOR SHARE SKIP LOCKED
        ), held_back AS (
            UPDATE {schema}.outbox AS x SET status = 'waiting'
            WHERE x.position = ANY (ARRAY(
                SELECT b.position FROM behind AS b
                WHERE b.head IN (SELECT f.position FROM firm AS f) OR b.earliest < b.position OR EXISTS (
                    SELECT FROM unnest(left_over, left_streams) AS l (p, s)
                    WHERE l.s = b.stream_id AND l.p < b.position
                )
            ))
            RETURNING x.position
        )
        SELECT array_agg(b.position), array_agg(b.position) FILTER (WHERE h.position IS NULL),
            array_agg(b.stream_id::text) FILTER (WHERE h.position IS NULL)
        INTO blocked, left_now, left_now_streams
        FROM behind AS b LEFT JOIN held_back AS h ON h.position = b.position;
        left_over := left_over || coalesce(left_now, '{}');
        left_streams := left_streams || coalesce(left_now_streams, '{}');
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

-- As in 0016, but for the refusal, and with what 0019 has set.
CREATE OR REPLACE FUNCTION {schema}.settle_outbox(p_verdicts json) RETURNS TABLE ("position" bigint, token bigint)
LANGUAGE plpgsql SET enable_seqscan TO off AS $$
DECLARE
    one record;
    streams text[] := '{}';
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RETURN NEXT; -- nothing but NULLs: the refusal
        RETURN;
    END IF;
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

-- What waits for nobody: the first open message of its stream.
UPDATE {schema}.outbox AS o SET status = 'pending'
WHERE o.status = 'waiting' AND o.position = ANY (ARRAY(
    SELECT f.position FROM (
        SELECT DISTINCT ON (x.stream_id) x.position, x.status FROM {schema}.outbox AS x
        WHERE x.ordered AND x.status IN ('pending', 'waiting', 'claimed')
        ORDER BY x.stream_id, x.position
    ) AS f WHERE f.status = 'waiting'
));
