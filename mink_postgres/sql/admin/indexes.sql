-- Every index of the store's tables: whether it is usable, its size, and the size that its rows should need.
SELECT i.relname::text, t.relname::text, x.indisvalid AND x.indisready, coalesce(pg_relation_size(i.oid), 0),
    -- 8 kB pages filled to 90 %; an entry has 8 bytes of header, 4 of pointer, and its columns, aligned.
    (ceil(i.reltuples * (16 + coalesce((
        SELECT sum(s.avg_width) FROM unnest(x.indkey) AS k
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k
        JOIN pg_stats AS s ON s.schemaname = $1::text AND s.tablename = t.relname AND s.attname = a.attname
    ), 16)) / (8192 * 0.9)) * 8192)::bigint,
    greatest(i.reltuples, 0)::bigint
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
WHERE t.relnamespace = quote_ident($1::text)::regnamespace
ORDER BY 1
