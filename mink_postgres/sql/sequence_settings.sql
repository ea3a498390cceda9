SELECT q.seqincrement, q.seqcache, q.seqcycle, pg_get_serial_sequence('{schema}.events', 'global_position'),
    -- The snapshot is older than the look at the sequence, so what is appended meanwhile does not count.
    CASE WHEN has_sequence_privilege(q.seqrelid, 'SELECT') THEN coalesce(pg_sequence_last_value(q.seqrelid), 0) END,
    (SELECT max(e.global_position) FROM {schema}.events AS e)
FROM pg_sequence AS q
WHERE q.seqrelid = '{schema}.events_global_position_seq'::regclass
