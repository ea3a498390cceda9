-- oldest code: 15
-- claim_sagas() as in 0017, with one change: it goes through what is due in order, as far as it claims. To find those that were
-- claimed too often, and those of a type, it read all that was due, at each claim: a backlog cost the square of its length.
CREATE INDEX IF NOT EXISTS idx_sagas_type_due_at ON {schema}.sagas (saga_type, due_at) WHERE due_at IS NOT NULL;

-- Always by an index that has the order, as for `streams` in 0017, and that of the type where there is one: a plan that is kept
-- knows neither how many are due nor how many are of which type, nor whether one is asked for.
CREATE OR REPLACE FUNCTION {schema}.claim_sagas(p_limit integer, p_lease float8, p_type text, p_max integer)
RETURNS SETOF {schema}.sagas LANGUAGE plpgsql
SET enable_seqscan TO off SET enable_sort TO off SET plan_cache_mode TO force_custom_plan AS $$
DECLARE
    stamp CONSTANT timestamptz := clock_timestamp();
    room integer := p_limit;
    looked text[];
    spent text[];
BEGIN
    LOOP
        SELECT array_agg(f.saga_id::text), array_agg(f.saga_id::text) FILTER (WHERE f.claims >= p_max)
        INTO looked, spent
        FROM (
            SELECT x.saga_id, x.claims FROM {schema}.sagas AS x
            WHERE x.due_at <= stamp AND (p_type IS NULL OR x.saga_type = p_type)
            ORDER BY x.due_at LIMIT room FOR UPDATE SKIP LOCKED
        ) AS f;
        EXIT WHEN looked IS NULL;
        -- Neither is due any more afterwards, so the next turn looks behind them.
        IF spent IS NOT NULL THEN
            UPDATE {schema}.sagas AS s SET status = 'stuck', due_at = NULL, version = s.version + 1, updated_at = stamp
            WHERE s.saga_id = ANY (spent);
        END IF;
        RETURN QUERY
        UPDATE {schema}.sagas AS s
        SET due_at = stamp + make_interval(secs => p_lease), claims = s.claims + 1, version = s.version + 1
        WHERE s.saga_id = ANY (looked) AND s.claims < p_max
        RETURNING s.*;
        EXIT WHEN spent IS NULL;
        room := room - cardinality(looked) + cardinality(spent);
        EXIT WHEN room = 0;
    END LOOP;
END $$;
