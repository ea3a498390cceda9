SELECT
    $1::bigint + ((l.objid::bigint - $1::bigint + 2147483648) & 4294967295) - 2147483648 AS after_position,
    a.xact_start AT TIME ZONE 'UTC',
    coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8,
    l.pid,
    coalesce(a.application_name, ''),
    CASE WHEN l.pid IS NULL THEN 'prepared transaction' ELSE coalesce(a.state || ': ' || left(a.query, 200), '') END
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 2
    AND l.classid = '{schema}.events'::regclass
    AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY after_position, l.pid
