-- Tables of this design that somebody else has made and filled, without a record of migrations: they are
-- taken over in place with their data, or refused as a whole with what to do about it.
DO $adopt$
DECLARE
    wrong record;
    highest bigint;
BEGIN
    IF to_regclass('{schema}.events') IS NULL AND to_regclass('{schema}.streams') IS NULL THEN
        RETURN;
    ELSIF EXISTS (SELECT FROM {schema}.schema_migrations) THEN
        RETURN;
    ELSIF to_regclass('{schema}.events') IS NULL OR to_regclass('{schema}.streams') IS NULL THEN
        RAISE EXCEPTION 'schema % has only one of the tables events and streams, which belong together; '
            'nothing was changed: use another schema, or add the missing table', $s${schema}$s$
            USING ERRCODE = 'MINK1';
    END IF;
    -- Writers wait until the migrations are through; the fence's trigger would make them wait as well. EXCLUSIVE, as
    -- one that had its stream FOR UPDATE would wait for `events`, with the stream's row waited for below.
    LOCK TABLE {schema}.streams, {schema}.events IN EXCLUSIVE MODE;

    SELECT w.tab, w.col, w.types, format_type(a.atttypid, a.atttypmod) AS has, a.attnotnull INTO wrong
    FROM (VALUES
        ('streams', 'stream_id', ARRAY['character varying(500)', 'character varying', 'text'], true),
        ('streams', 'category', ARRAY['character varying(250)', 'character varying(500)', 'character varying', 'text'], true),
        ('streams', 'version', ARRAY['bigint'], true),
        ('streams', 'created_at', ARRAY['timestamp with time zone'], true),
        ('streams', 'updated_at', ARRAY['timestamp with time zone'], true),
        ('events', 'global_position', ARRAY['bigint'], true),
        ('events', 'stream_id', ARRAY['character varying(500)', 'character varying', 'text'], true),
        ('events', 'version', ARRAY['bigint'], true),
        ('events', 'event_id', ARRAY['uuid'], true),
        ('events', 'event_type', ARRAY['character varying(500)', 'character varying', 'text'], true),
        ('events', 'data', ARRAY['jsonb'], true),
        ('events', 'metadata', ARRAY['jsonb'], false),
        ('events', 'timestamp', ARRAY['timestamp with time zone'], true)
    ) AS w (tab, col, types, filled)
    LEFT JOIN pg_attribute AS a
        ON a.attrelid = ('{schema}.' || w.tab)::regclass AND a.attname = w.col AND NOT a.attisdropped
    WHERE a.attname IS NULL OR format_type(a.atttypid, a.atttypmod) <> ALL (w.types) OR a.attnotnull <> w.filled
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column %.% must be % and % NULL, but is %; nothing was changed: alter it first',
            wrong.tab, wrong.col, wrong.types[1], CASE WHEN wrong.col = 'metadata' THEN 'may be' ELSE 'NOT' END,
            coalesce(wrong.has || CASE WHEN wrong.attnotnull THEN ' NOT NULL' ELSE '' END, 'missing')
            USING ERRCODE = 'MINK1';
    END IF;

    SELECT w.tab, w.cols INTO wrong
    FROM (VALUES
        ('events', ARRAY['global_position']), ('events', ARRAY['stream_id', 'version']), ('streams', ARRAY['stream_id'])
    ) AS w (tab, cols)
    WHERE NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = ('{schema}.' || w.tab)::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
            AND w.cols = (
                SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY AS k (num, n)
                JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.num
                WHERE k.n <= i.indnkeyatts
            )
    )
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'table % is not UNIQUE (%); nothing was changed: add the constraint first',
            wrong.tab, array_to_string(wrong.cols, ', ') USING ERRCODE = 'MINK1';
    END IF;

    IF pg_get_serial_sequence('{schema}.events', 'global_position')::regclass
        IS DISTINCT FROM to_regclass('{schema}.events_global_position_seq')
    THEN
        RAISE EXCEPTION 'events.global_position does not own the sequence events_global_position_seq, but %; '
            'nothing was changed: rename the sequence, or ALTER SEQUENCE … OWNED BY events.global_position',
            coalesce(pg_get_serial_sequence('{schema}.events', 'global_position'), 'none')
            USING ERRCODE = 'MINK1';
    END IF;

    SELECT e.global_position, e.stream_id INTO wrong FROM {schema}.events AS e
    WHERE e.global_position < 1 OR jsonb_typeof(e.metadata) NOT IN ('object', 'null') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'event % of stream % has a position below 1, or metadata that is no JSON object; '
            'nothing was changed: mend it first', wrong.global_position, quote_literal(wrong.stream_id)
            USING ERRCODE = 'MINK1';
    END IF;

    -- An event's time is above those before it in its stream; infinity would be handed on, and no reader takes it.
    SELECT t.stream_id INTO wrong
    FROM (
        SELECT e.stream_id, e.timestamp AS at FROM {schema}.events AS e
        UNION ALL SELECT s.stream_id, s.created_at FROM {schema}.streams AS s
        UNION ALL SELECT s.stream_id, s.updated_at FROM {schema}.streams AS s
    ) AS t
    WHERE t.at < '0001-01-01 00:00:00+00' OR t.at > '9999-12-31 00:00:00+00' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stream % has a time that is infinite or of no year from 1 to 9999; nothing was changed: mend it first',
            quote_literal(wrong.stream_id) USING ERRCODE = 'MINK1';
    END IF;

    SELECT e.stream_id, min(e.version) AS lowest, max(e.version) AS newest, count(*) AS stored INTO wrong
    FROM {schema}.events AS e GROUP BY e.stream_id
    HAVING min(e.version) <> 1 OR max(e.version) <> count(*) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stream % has % events with versions from % to %, but versions are 1 to n without a hole; '
            'nothing was changed: mend it first',
            quote_literal(wrong.stream_id), wrong.stored, wrong.lowest, wrong.newest USING ERRCODE = 'MINK1';
    END IF;

    -- What can be told from the events is put right: they are the truth.
    INSERT INTO {schema}.streams AS s (stream_id, category, version, created_at, updated_at)
    SELECT e.stream_id, left(split_part(e.stream_id, '-', 1), 250), max(e.version), min(e.timestamp), max(e.timestamp)
    FROM {schema}.events AS e GROUP BY e.stream_id
    ON CONFLICT (stream_id) DO UPDATE SET
        category = excluded.category,
        version = excluded.version,
        -- The next event's timestamp is above this one, so that time does not go back from here on.
        updated_at = greatest(s.updated_at, excluded.updated_at)
    WHERE (s.category, s.version) IS DISTINCT FROM (excluded.category, excluded.version)
        OR s.updated_at < excluded.updated_at;
    SELECT s.stream_id, s.version INTO wrong FROM {schema}.streams AS s
    WHERE s.version <> 0 AND NOT EXISTS (SELECT FROM {schema}.events AS e WHERE e.stream_id = s.stream_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'stream % is at version % but has no event; nothing was changed: mend it first',
            quote_literal(wrong.stream_id), wrong.version USING ERRCODE = 'MINK1';
    END IF;
    SELECT max(e.global_position) INTO highest FROM {schema}.events AS e;
    IF highest > coalesce(pg_sequence_last_value('{schema}.events_global_position_seq'::regclass), 0) THEN
        PERFORM setval('{schema}.events_global_position_seq', highest);
    END IF;
END $adopt$;
