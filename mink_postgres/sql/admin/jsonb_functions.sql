-- Undoes json_functions.sql where it has changed a function in place, by the reverse of what it does: they are then as the
-- migrations have made them, also those of a later release. Those that take json stay beside (docs/decisions/0152): stores
-- that were open go on calling them, and what they store is turned into jsonb.
DO $json$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
        WHERE p.pronamespace = '{schema}'::regnamespace AND p.proname IN ('append', 'append_marked', 'append_batch_unmarked')
    LOOP
        EXECUTE replace(made, 'd json, m json', 'd jsonb, m jsonb');
    END LOOP;
    SELECT pg_get_functiondef('{schema}.find_repeat(text, bigint, json)'::regprocedure) INTO made;
    made := replace(made, 's.data::jsonb::text', 's.data::text');
    EXECUTE replace(made, 'coalesce(s.metadata, ''{}'')::jsonb::text', 'coalesce(s.metadata, ''{}'')::text');
END $json$
