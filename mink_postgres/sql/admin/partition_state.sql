-- How events is laid out: r (one table) or p, how many partitions, whether it holds an event, whether ids are kept
-- unique, what of it a change of the layout would lose, and whether one was begun. A snapshot that is older than the lock on
-- events does not show what was appended while it was waited for; that the table has grown is seen.
SELECT c.relkind::text,
    (SELECT count(*) FROM pg_inherits AS i WHERE i.inhparent = c.oid),
    EXISTS (SELECT FROM {schema}.events)
        OR current_setting('transaction_isolation') <> 'read committed' AND pg_relation_size(c.oid) > 0,
    to_regclass('{schema}.idx_events_event_id') IS NOT NULL,
    ARRAY(
        SELECT 'index ' || x.relname FROM pg_index AS n JOIN pg_class AS x ON x.oid = n.indexrelid
        WHERE n.indrelid = c.oid AND x.relname NOT IN (
            'events_pkey', 'events_stream_id_version_key', 'idx_events_type', 'idx_events_timestamp',
            'idx_events_stream', 'idx_events_event_id'
        )
        UNION ALL
        SELECT 'trigger ' || t.tgname FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
            AND t.tgname NOT IN ('events_guard_positions', 'events_append_only')
        UNION ALL
        SELECT 'publication ' || p.pubname FROM pg_publication_rel AS m JOIN pg_publication AS p ON p.oid = m.prpubid
        WHERE m.prrelid = c.oid
        UNION ALL
        SELECT 'policy ' || p.polname FROM pg_policy AS p WHERE p.polrelid = c.oid
        UNION ALL
        SELECT 'row level security' WHERE c.relrowsecurity
        UNION ALL
        SELECT 'rule ' || r.rulename FROM pg_rewrite AS r WHERE r.ev_class = c.oid
        UNION ALL
        SELECT 'constraint ' || k.conname FROM pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'x') OR k.confrelid = c.oid AND k.contype = 'f'
        UNION ALL
        SELECT 'statistics ' || s.stxname FROM pg_statistic_ext AS s WHERE s.stxrelid = c.oid
        UNION ALL
        SELECT 'storage parameter ' || o FROM unnest(c.reloptions) AS o
        UNION ALL
        SELECT 'generated column ' || a.attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attgenerated <> ''
        UNION ALL
        -- The table would not even be dropped.
        SELECT DISTINCT 'view ' || v.relname FROM pg_depend AS d
        JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_class AS v ON v.oid = r.ev_class
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND v.oid <> c.oid
    )::text[],
    to_regclass('{schema}.events_hashed') IS NOT NULL
FROM pg_class AS c
WHERE c.oid = '{schema}.events'::regclass
