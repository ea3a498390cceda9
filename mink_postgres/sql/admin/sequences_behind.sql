-- Sequences that are behind what they have numbered, as logical replication leaves them: the sequence as written in SQL, its
-- table and column, how far it is, and the newest number. That of events is looked at whenever a store is opened.
SELECT n.numbers, n.kept_in, n.named, coalesce(pg_sequence_last_value(n.numbers::regclass), 0), n.newest
FROM (
    -- The id of a stream that is marked is negative.
    SELECT pg_get_serial_sequence('{schema}.streams', 'id'), 'streams', 'id',
        (SELECT greatest(max(s.id), -min(s.id)) FROM {schema}.streams AS s)
    UNION ALL
    SELECT pg_get_serial_sequence('{schema}.outbox', 'position'), 'outbox', 'position',
        (SELECT max(o.position) FROM {schema}.outbox AS o)
    UNION ALL
    SELECT pg_get_serial_sequence('{schema}.privacy_audit', 'id'), 'privacy_audit', 'id',
        (SELECT max(a.id) FROM {schema}.privacy_audit AS a)
    UNION ALL
    SELECT pg_get_serial_sequence('{schema}.subscription_leases', 'token'), 'subscription_leases', 'token',
        (SELECT max(l.token) FROM {schema}.subscription_leases AS l)
) AS n (numbers, kept_in, named, newest)
WHERE has_sequence_privilege(n.numbers, 'SELECT') AND n.newest > coalesce(pg_sequence_last_value(n.numbers::regclass), 0)
