SELECT q.seqincrement, q.seqcache, q.seqcycle, pg_get_serial_sequence('{schema}.events', 'global_position')
FROM pg_sequence AS q
WHERE q.seqrelid = '{schema}.events_global_position_seq'::regclass
