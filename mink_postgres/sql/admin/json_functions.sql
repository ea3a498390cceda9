-- What appends to json columns (docs/decisions/0151): the functions as the migrations make them, with json where they say
-- jsonb. Those that take jsonb stay beside, and what they store is turned into json: so does code that asks for no more.
-- Run again after each migration; what is changed already has nothing left to change.
DO $json$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p
        WHERE p.pronamespace = '{schema}'::regnamespace AND p.proname IN (
            'append', 'append_marked', 'append_batch_unmarked',
            'append_one', 'append_one_with_outbox', 'append_group', 'append_group_with_outbox'
        )
    LOOP
        EXECUTE regexp_replace(made, '\mjsonb\M', 'json', 'g');
    END LOOP;
    -- A repeat is told by its content, whatever the order of its keys and the space between.
    SELECT pg_get_functiondef('{schema}.find_repeat(text, bigint, json)'::regprocedure) INTO made;
    made := replace(made, 's.data::text', 's.data::jsonb::text');
    EXECUTE replace(made, 'coalesce(s.metadata, ''{}'')::text', 'coalesce(s.metadata, ''{}'')::jsonb::text');
END $json$
