-- oldest code: 15
-- As in 0015, with one change: the lock. Whoever came here while `mink partition` or `mink payloads` put another table in the
-- place of events was refused by that table's guard, as its name was looked up before it was waited for. Now it is waited for here.
CREATE OR REPLACE FUNCTION {schema}.allow_rewriting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE {schema}.events IN ACCESS SHARE MODE;
    -- Names the table and the transaction: a stray SET cannot guess it, and no later transaction has it.
    PERFORM set_config('mink.rewriting_' || '{schema}.events'::regclass::oid, pg_current_xact_id()::text, true);
END $$;
