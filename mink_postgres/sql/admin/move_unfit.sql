-- Names the first event after a position whose payload jsonb cannot hold: U+0000, half a surrogate pair or a number beyond all
-- bounds, which json keeps as they were written.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT e.global_position, e.stream_id, e.version, e.data::text, e.metadata::text FROM {schema}.events AS e
        WHERE e.global_position > {after} ORDER BY e.global_position
    LOOP
        BEGIN
            PERFORM one.data::jsonb, one.metadata::jsonb;
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION 'the event at position % (version % of stream %) holds what jsonb cannot: %; the store was not '
                'changed: redact that event, then go on with `mink payloads jsonb`, or keep json and '
                'DROP TABLE {schema}.{copy}',
                one.global_position, one.version, quote_literal(one.stream_id), SQLERRM USING ERRCODE = 'MINK1';
        END;
    END LOOP;
END $$
