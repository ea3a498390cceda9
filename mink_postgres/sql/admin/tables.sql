-- Every table with its partitions taken together: rows, bytes without and with indexes, dead and live rows, age.
-- One that a move has just put away has no size any more.
SELECT t.relname::text, sum(greatest(p.reltuples, 0))::bigint, sum(coalesce(pg_table_size(p.oid), 0))::bigint,
    sum(coalesce(pg_total_relation_size(p.oid), 0))::bigint, coalesce(sum(s.n_dead_tup), 0)::bigint,
    coalesce(sum(s.n_live_tup), 0)::bigint, max(age(p.relfrozenxid))
FROM pg_class AS p
LEFT JOIN pg_inherits AS i ON i.inhrelid = p.oid AND p.relispartition
JOIN pg_class AS t ON t.oid = coalesce(i.inhparent, p.oid)
LEFT JOIN pg_stat_all_tables AS s ON s.relid = p.oid
WHERE t.relnamespace = quote_ident($1::text)::regnamespace AND p.relkind = 'r'
GROUP BY t.relname
ORDER BY 1
