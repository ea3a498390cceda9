-- What appends to json columns (docs/decisions/0151): the functions as the migrations make them, with json where they say
-- jsonb. Those that take jsonb stay beside, and what they store is turned into json: so does code that asks for no more.
-- Run again after each migration. What holds json already is left alone: of two of one name, the older would undo the newer.
-- A schema may be called jsonb; its name stands before a dot.
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
        CONTINUE WHEN made !~ E'\\mjsonb\\M(?!"?\\.)'; -- E: whatever standard_conforming_strings is
        EXECUTE regexp_replace(made, E'\\mjsonb\\M(?!"?\\.)', 'json', 'g');
    END LOOP;
    -- A repeat is told by its content, whatever the order of its keys and the space between.
    SELECT pg_get_functiondef('{schema}.find_repeat(text, bigint, json)'::regprocedure) INTO made;
    made := replace(made, 's.data::text', 's.data::jsonb::text');
    EXECUTE replace(made, 'coalesce(s.metadata, ''{}'')::text', 'coalesce(s.metadata, ''{}'')::jsonb::text');
    -- Of the same owner as all others, whoever runs this: the next migration makes them again.
    FOR made IN
        SELECT format('ALTER FUNCTION %s OWNER TO %I', p.oid::regprocedure, pg_get_userbyid(known.proowner))
        FROM pg_proc AS p JOIN pg_proc AS known ON known.pronamespace = p.pronamespace
        WHERE known.oid = '{schema}.feed_mark()'::regprocedure AND p.proowner <> known.proowner
            AND pg_get_function_identity_arguments(p.oid) ~ E'\\mp_data json\\M'
    LOOP
        EXECUTE made;
    END LOOP;
END $json$
