SELECT
    $1::bigint + ((l.objid::bigint - $1::bigint + 2147483648) & 4294967295) - 2147483648 AS after_position,
    coalesce(a.xact_start, p.prepared) AT TIME ZONE 'UTC',
    coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)), 0)::float8,
    l.pid,
    coalesce(a.application_name, ''),
    CASE WHEN l.pid IS NULL THEN concat('prepared transaction ', quote_literal(p.gid)) ELSE coalesce(a.state || ': ' || left(a.query, 200), '') END
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
-- Its locks name a virtual transaction, by one rule until the server is restarted and by another one afterwards.
LEFT JOIN LATERAL (
    SELECT x.gid, x.prepared FROM pg_locks AS t JOIN pg_prepared_xacts AS x ON x.transaction = t.transactionid
    WHERE t.locktype = 'transactionid' AND t.pid IS NULL AND t.virtualtransaction = l.virtualtransaction
    LIMIT 1
) AS p ON l.pid IS NULL
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 2
    AND l.classid = '{schema}.events'::regclass
    AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY after_position, l.pid
