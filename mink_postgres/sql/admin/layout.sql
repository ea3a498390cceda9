-- How events is laid out: r (one table) or p, how many partitions, whether it holds an event, whether ids are kept unique, of
-- which type its payloads are, what of it or of a partition a table in its place would lose, the copies that were begun,
-- and the publications that every table of the schema is in.
-- A snapshot that is older than the lock on events does not show what was appended while it was waited for; that the table
-- has grown is seen: the column after that of events.
SELECT c.relkind::text,
    (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = c.oid),
    EXISTS (SELECT FROM {schema}.events),
    current_setting('transaction_isolation') <> 'read committed' AND pg_relation_size(c.oid) > 0,
    ids.oid IS NOT NULL,
    (
        SELECT y.typname::text FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attname = 'data'
    ),
    ARRAY(
        SELECT DISTINCT l.what FROM pg_class AS t CROSS JOIN LATERAL (
            SELECT 'index ' || x.relname FROM pg_index AS n JOIN pg_class AS x ON x.oid = n.indexrelid
            WHERE n.indrelid = t.oid AND x.oid IS DISTINCT FROM ids.oid AND x.relname NOT IN (
                'events_pkey', 'events_stream_id_version_key', 'idx_events_type', 'idx_events_timestamp', 'idx_events_stream'
            )
                -- A partition's that belongs to one of the whole table.
                AND NOT EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = x.oid)
            UNION ALL
            SELECT 'trigger ' || g.tgname FROM pg_trigger AS g
            WHERE g.tgrelid = t.oid AND NOT g.tgisinternal
                AND g.tgname NOT IN ('events_guard_positions', 'events_append_only', 'events_fenced_rows', 'events_kept_rows')
            UNION ALL
            SELECT 'publication ' || p.pubname FROM pg_publication_rel AS m JOIN pg_publication AS p ON p.oid = m.prpubid
            WHERE m.prrelid = t.oid
            UNION ALL
            SELECT 'policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = t.oid
            UNION ALL
            SELECT 'row level security' WHERE t.relrowsecurity
            UNION ALL
            SELECT 'rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = t.oid
            UNION ALL
            SELECT 'constraint ' || k.conname FROM pg_constraint AS k
            WHERE k.conrelid = t.oid AND k.contype IN ('c', 'f', 'x') OR k.confrelid = t.oid AND k.contype = 'f'
            UNION ALL
            SELECT 'statistics ' || s.stxname FROM pg_statistic_ext AS s WHERE s.stxrelid = t.oid
            UNION ALL
            SELECT 'storage parameter ' || o FROM unnest(t.reloptions) AS o
            UNION ALL
            SELECT 'generated column ' || a.attname FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attgenerated <> ''
            UNION ALL
            -- The table would not even be dropped.
            SELECT 'view ' || v.relname FROM pg_depend AS d
            JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
            JOIN pg_class AS v ON v.oid = r.ev_class
            WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND v.oid <> t.oid
        ) AS l (what)
        WHERE t.oid = c.oid OR t.oid IN (SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = c.oid)
        ORDER BY 1
    )::text[],
    ARRAY(
        SELECT b.relname::text FROM pg_class AS b
        WHERE b.relnamespace = c.relnamespace AND b.relname = ANY ('{copies}')
    ),
    ARRAY(
        SELECT p.pubname::text FROM pg_publication AS p
        WHERE p.pubinsert AND (p.puballtables OR EXISTS (
            SELECT FROM pg_publication_namespace AS s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace
        ))
        ORDER BY 1
    )
FROM pg_class AS c
LEFT JOIN LATERAL (
    SELECT x.indexrelid AS oid FROM pg_index AS x JOIN pg_attribute AS a ON a.attrelid = x.indexrelid
    WHERE x.indexrelid = to_regclass('{schema}.idx_events_event_id') AND x.indrelid = c.oid
        AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indnkeyatts = 1
        AND a.attname = 'event_id'
) AS ids ON true
WHERE c.oid = '{schema}.events'::regclass
