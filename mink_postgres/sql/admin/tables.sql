SELECT t.relname::text, greatest(t.reltuples, 0)::bigint, pg_table_size(t.oid), pg_total_relation_size(t.oid),
    coalesce(s.n_dead_tup, 0), coalesce(s.n_live_tup, 0), age(t.relfrozenxid)
FROM pg_class AS t
LEFT JOIN pg_stat_all_tables AS s ON s.relid = t.oid
WHERE t.relnamespace = quote_ident($1::text)::regnamespace AND t.relkind IN ('r', 'p')
ORDER BY 1
